"""The supervisor behind `rostra serve`: opens the listening socket and keeps gateway, control and keeper alive.

It decides nothing about content and holds no database, so that it never needs a restart of its own.
"""
