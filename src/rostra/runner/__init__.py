"""What runs inside a content process: finds the author's application and serves it on a unix socket.

Standard library only, Python 3.8 and later, and nothing of Rostra: the folder is shown to content as it stands. The
servers themselves (uvicorn, waitress) come from the content's own packages or from the overlay.
"""
