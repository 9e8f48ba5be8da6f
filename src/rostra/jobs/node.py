"""Only one process at a time works for a data folder, and the system knows when it is dead, however it died."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rostra.errors import Conflict

_TRY_EVERY = 0.05  # seconds


class AnotherServerRuns(Conflict):
    code = "another-server-runs"

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        super().__init__(
            f"another Rostra works on {lock.parent}", hint="Stop it first, or give this one a data folder of its own."
        )


@asynccontextmanager
async def only_one(lock: Path, *, wait_seconds: float = 10.0) -> AsyncIterator[None]:
    """Hold the file ``lock`` for the length of the block; a process that dies lets go of it.

    Raises:
        AnotherServerRuns: somebody else held it all the time.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take(handle, lock, wait_seconds)
        yield
    finally:
        os.close(handle)


def held(lock: Path) -> bool:
    """Return whether somebody holds the file ``lock`` now."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


async def _take(handle: int, lock: Path, wait_seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + wait_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as why:
            if asyncio.get_running_loop().time() >= ends:
                raise AnotherServerRuns(lock) from why
            await asyncio.sleep(_TRY_EVERY)
        else:
            return
