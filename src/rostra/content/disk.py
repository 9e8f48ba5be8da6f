"""Small durable steps on disk, and threads for the slow ones."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.lowlevel

from rostra.durable import sync_folder
from rostra.ids import new_key
from rostra.trees import remove_tree

T = TypeVar("T")
Tick = Callable[[], None]

SCRATCH = ".scratch-"
_LONG_ONES = 3  # the event loop's own pool of threads has at least five
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("long work on bundles")


class Stopped(Exception):
    """Raised in a thread whose waiting task was cancelled; seen by nobody else."""


async def in_thread(work: Callable[[Tick], T], *, long: bool = False) -> T:
    """Run ``work(tick)`` in a thread while the event loop stays free.

    At most a few ``long`` ones run at once, and never so many that a short one (a piece of an upload) has to wait.
    When this task is cancelled the next ``tick()`` raises `Stopped` in the thread, and cancellation goes on only once
    the thread has ended: nothing is left running.
    """
    stop = threading.Event()
    async with _long_ones() if long else contextlib.nullcontext():
        running = asyncio.ensure_future(asyncio.to_thread(work, lambda: _raise_when(stop)))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            stop.set()
            await _ended(running)
            raise


async def _ended(running: asyncio.Future[T]) -> None:
    with anyio.CancelScope(shield=True):
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):  # asked again; the answer is already on its way
                await asyncio.wait([running])
    running.exception()  # it has been seen


def _raise_when(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


def _long_ones() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        _limiter.set(anyio.CapacityLimiter(_LONG_ONES))
        return _limiter.get()


def scratch_beside(final: Path) -> Path:
    """Return a name in the same folder that start-up removes when a crash leaves it."""
    return final.parent / f"{SCRATCH}{new_key()}"


def make_folders(folder: Path) -> None:
    """Make the folder and those above it, each one's name on disk before this returns."""
    missing = [folder, *folder.parents]
    missing = missing[: next(n for n, place in enumerate(missing) if place.is_dir())]
    for place in reversed(missing):
        place.mkdir(mode=0o755, exist_ok=True)
        sync_folder(place.parent)


def remove(path: Path) -> bool:
    """Remove a file, a link or a whole folder, read-only ones too; False when nothing was there. Follows no link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        path.unlink(missing_ok=True)
        return True
    if not remove_tree(path):
        raise OSError(errno.ENOTEMPTY, "the folder cannot be removed whole", str(path))
    return True


async def remove_all(paths: Iterable[Path]) -> None:
    """Remove each, in a thread; what is not there is fine."""

    def run(tick: Tick) -> None:
        for path in paths:
            tick()
            remove(path)

    await in_thread(run, long=True)
