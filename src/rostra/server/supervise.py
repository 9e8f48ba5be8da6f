"""Keeps processes running until a signal says stop, then ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence

import structlog

from rostra.app import REFUSED
from rostra.server.children import Child, Deaths

log = structlog.get_logger()

GRACE_SECONDS = 15.0


async def supervise(wanted: Sequence[Child]) -> int:
    """Run all of ``wanted``, starting each again when it ends, until SIGTERM or SIGINT; return the exit status.

    One that refuses to run when it is first started ends all: it has said why. When it refuses later, because the
    configuration was changed meanwhile, it is tried again, and the others go on. A second signal hurries the end.
    """
    stopping, hurry = asyncio.Event(), asyncio.Event()
    kept = [_Kept(child, stopping, hurry) for child in wanted]
    _on_signals(kept, stopping, hurry)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.keep()) for one in kept]
        await stopping.wait()
        for one, task in reversed(list(zip(kept, tasks, strict=True))):
            # The last one first: the gateway finishes what it carries while the others can still answer, and control
            # ends the content and writes that down while there still is a keeper.
            one.leave.set()
            await asyncio.wait((task,))
    return REFUSED if any(one.refused for one in kept) else 0


def _on_signals(kept: Sequence[_Kept], stopping: asyncio.Event, hurry: asyncio.Event) -> None:
    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    def reload() -> None:
        for one in kept:
            one.reload()

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


class _Kept:
    """One child and what becomes of it. ``leave`` tells it to go."""

    def __init__(self, child: Child, stopping: asyncio.Event, hurry: asyncio.Event) -> None:
        self.child, self.refused = child, False
        self.leave = asyncio.Event()
        self._stopping, self._hurry = stopping, hurry
        self._process: Process | None = None

    def reload(self) -> None:
        if self.child.reloads and self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def keep(self) -> None:
        deaths, first = Deaths(), True
        while not self.leave.is_set():
            started = time.monotonic()
            code = await self._run()
            if self.leave.is_set() or (self._stopping.is_set() and code == 0):
                return
            if code == REFUSED and first:
                self.refused = True
                self._stopping.set()
                return
            first, deaths = False, deaths.another(time.monotonic() - started)
            log.warning("process ended, starting it again", process=self.child.name, code=code, pause=deaths.pause)
            await _either(self.leave, deaths.pause)

    async def _run(self) -> int:
        """Run it once; return its exit status. When it is to leave it is told so, and gets SIGKILL after a while."""
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.child.argv,
            pass_fds=self.child.fds,
            preexec_fn=_with(os.getpid()),
            start_new_session=True,
        )
        ended = asyncio.create_task(process.wait())
        leaving = asyncio.create_task(self.leave.wait())
        try:
            await asyncio.wait((ended, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(process, ended)
            return await ended
        finally:
            leaving.cancel()
            if process.returncode is None:  # cancelled: nothing may be left
                process.kill()

    async def _end(self, process: Process, ended: asyncio.Task[int]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.child.farewell)
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait((ended, hurry), timeout=GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ended.done():
            log.warning("process did not end in time, killing it", process=self.child.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()


async def _either(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _with(parent: int) -> Callable[[], None]:
    """Return what a child does between fork and exec: it binds its life to this process's.

    After ``kill -9`` of the supervisor nothing may keep the port or the data folder. Nothing is lost by ending at once:
    every state is one that a crash may leave.
    """

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
