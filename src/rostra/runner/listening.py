"""The unix socket content is reached at: it appears under its name only when it is being listened on."""

from __future__ import annotations

import contextlib
import os
import socket

_BACKLOG = 1024


class Listener:
    """``waiting`` is the path to bind first; ``announce`` moves it to where the gateway connects.

    A server either takes ``bound()`` or binds ``waiting`` itself.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.waiting = os.path.join(os.path.dirname(path), ".s")

    def bound(self) -> socket.socket:
        """Return a socket bound to ``waiting``, listening: connections are queued until they are accepted."""
        _remove(self.waiting)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(self.waiting)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
        return listening

    def announce(self) -> None:
        """Make the socket visible; the folder it is in keeps strangers out, the gateway may be another account."""
        os.chmod(self.waiting, 0o666)
        os.rename(self.waiting, self.path)
        print("rostra: ready", flush=True)

    def withdraw(self) -> None:
        """Take the name away, so that nobody connects any more."""
        _remove(self.path)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
