"""The data plane: bytes between visitors, content processes and control.

It promises strict framing, raw paths, identity that comes only from Rostra, constant memory whatever the size of a
body, and that running content keeps answering while control is away. It makes no pages and knows no database.
"""
