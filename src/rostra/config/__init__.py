"""The configuration file, the environment variables and the declarations they are checked against.

Promises that every complaint names file and line, and that all complaints come at once.
"""
