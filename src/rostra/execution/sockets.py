"""Reaching a content process by its socket, without being led elsewhere.

The folder of the socket belongs to the content, which could put a symbolic link to one of the server's own sockets
there. So the socket itself is opened first, never a link, and connected to by descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield an address to connect to while the block lasts: exactly the socket at ``path``.

    Raises:
        OSError: nothing is there, or it is not a socket.
    """
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ConnectionRefusedError(f"{path} is not a socket")
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def connect(path: Path) -> socket.socket:
    """Return a connected, non-blocking stream socket. Does not wait: a local connection is made at once or refused.

    Raises:
        OSError: nothing accepts there.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with address(path) as where:
            made.connect(where)
    except BaseException:
        made.close()
        raise
    return made


def accepts(path: Path) -> bool:
    """Say whether something accepts connections at ``path``."""
    try:
        connect(path).close()
    except BlockingIOError:
        return True  # it listens and is so busy that its queue is full
    except OSError:
        return False
    return True


async def wait_until_accepting(path: Path, ended: asyncio.Event, timeout_seconds: float) -> bool:
    """Wait until something accepts at ``path``; False when ``ended`` is set first or the time is over."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + timeout_seconds, FIRST_PAUSE
    while not ended.is_set() and loop.time() < deadline:
        if accepts(path):
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await ended.wait()
        pause = min(LONGEST_PAUSE, pause * 1.3)
    return not ended.is_set() and accepts(path)
