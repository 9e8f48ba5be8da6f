"""Ends a process and everything it ever started, and arranges that there is nothing that could hide from that."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import psutil  # type: ignore[import-untyped]

_Args = TypeVarTuple("_Args")
_T = TypeVar("_T")

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


async def to_the_end(work: Callable[[*_Args], _T], *args: *_Args) -> _T:
    """Run ``work`` in a thread and wait for it, also when cancelled meanwhile: a thread cannot be stopped half-way."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise


def adopt_orphans() -> None:
    """Make this process the parent of what its descendants leave behind, so that a daemon cannot slip away."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Between fork and exec: have the kernel end this process when its parent goes, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def end_descendants(pid: int, *, rounds: int = 50, round_seconds: float = 0.2) -> bool:
    """Kill everything below ``pid`` until nothing is left; return whether that was reached.

    Repeats because what is being killed may be forking. Blocks up to ``rounds * round_seconds`` seconds.
    """
    for _ in range(rounds):
        try:
            below = [p for p in psutil.Process(pid).children(recursive=True) if _is_alive(p)]
        except psutil.NoSuchProcess:
            return True
        if not below:
            return True
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(below, timeout=round_seconds)
    return False


def end_tree(pid: int) -> None:
    """Kill everything below ``pid``, then ``pid`` itself. The caller reaps it."""
    end_descendants(pid)
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
