"""With what command each sort of content is started or rendered, and what it asks of its environment.

Pure: kinds build values, `execution` and `rendering` act on them.
"""
