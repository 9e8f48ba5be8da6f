"""The processes the pools know: brought up until they answer, watched until they are gone, and written down."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from rostra.clock import Clock
from rostra.errors import Problem
from rostra.execution import sockets
from rostra.execution.launcher import Exit, Launch, Launcher, Running
from rostra.execution.members import Phase, Pool, Process, describe_failure, labels
from rostra.ids import PoolKey, ProcessKey

log = structlog.get_logger()

GRACE_SECONDS = 5.0
HEARD_SECONDS = 2.0  # between the end of a process and the keeper's word of it; a keeper that is gone says nothing
NEVER_BEGAN = -1  # the exit code of what was never a process
T = TypeVar("T")

Started = Callable[[Launch, Running, PoolKey | None], Awaitable[None]]
Ended = Callable[[ProcessKey, int, bool], Awaitable[None]]


class Processes:
    """Use as ``async with``; leaving the block leaves the processes running.

    ``gone`` is called, without waiting, when one has ended, whoever wanted it. Records are awaited one after the other.
    """

    def __init__(
        self, launcher: Launcher, clock: Clock, gone: Callable[[Process], None], started: Started, ended: Ended
    ) -> None:
        self.known: dict[ProcessKey, Process] = {}
        self._launcher = launcher
        self._clock = clock
        self._gone, self._on_started, self._on_ended = gone, started, ended
        self._journal: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self._tasks = asyncio.TaskGroup()
        self._owned: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self.own(self._follow(self._launcher.exits()))
        self.own(self._write_journal())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in tuple(self._owned):
            task.cancel()
        await self._tasks.__aexit__(None, None, None)
        while not self._journal.empty():
            await self._journal.get_nowait()

    def own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` beside everything else, until it ends or the block is left. It must not raise."""
        task = self._tasks.create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    async def bring_up(self, launch: Launch, pool: Pool | None, timeout: dt.timedelta) -> Process | Problem:
        """Start a process and wait until it answers; return why not otherwise, and then nothing of it is left."""
        pool_key = pool.spec.key if pool else None
        spec_labels = pool.spec.labels if pool else {}
        launch = dataclasses.replace(launch, labels=labels(spec_labels, launch, pool_key))
        process = Process(launch.key, launch.socket, launch.log, pool, self._clock.now())
        self._add(process)
        try:
            running = await self._launcher.start(launch)
        except Problem as why:
            self._never_began(process)
            return why
        except BaseException:
            self._never_began(process)
            raise
        log.info("process started", process=launch.key, pool=pool_key, pid=running.pid)
        self._journal.put_nowait(self._record(partial(self._on_started, launch, running, pool_key)))
        return await self._until_ready(process, timeout)

    def _never_began(self, process: Process) -> None:
        """Forget a process that was not started, and let what was made ready for it end: its key was good already."""
        self._forget(process)
        self._journal.put_nowait(self._record(partial(self._on_ended, process.key, NEVER_BEGAN, True)))

    async def take_over(self, running: Running, process: Process, timeout: dt.timedelta) -> bool:
        """Take on a process found running; False, and it is ended, when it does not answer in time."""
        self._add(process)
        log.info("process found running", process=running.key, pid=running.pid)
        return isinstance(await self._until_ready(process, timeout), Process)

    async def end(self, process: Process, grace_seconds: float = GRACE_SECONDS) -> None:
        """End a process that is not wanted any more. Returns once nothing of it is left."""
        if process.phase is not Phase.ending:
            process.enter(Phase.ending, self._clock.now())
        await self.stop(process.key, grace_seconds)

    async def stop(self, key: ProcessKey, grace_seconds: float = GRACE_SECONDS) -> None:
        try:
            await self._launcher.stop(key, grace_seconds=grace_seconds)
        except Problem as why:  # the keeper is away: what it held ended with it
            log.warning("process could not be stopped", process=key, why=str(why))

    async def written_down(self, processes: Iterable[Process]) -> None:
        """Wait until the ends of ``processes``, which have been stopped, are known and on record."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARD_SECONDS):
                for process in processes:
                    await process.ended.wait()
        done = asyncio.Event()

        async def last() -> None:
            done.set()

        self._journal.put_nowait(last())
        await done.wait()

    async def _until_ready(self, process: Process, timeout: dt.timedelta) -> Process | Problem:
        try:
            ready = await sockets.wait_until_accepting(process.socket, process.ended, timeout.total_seconds())
        except asyncio.CancelledError:
            if process.pool is None:
                self.own(self.end(process, 0))
            raise
        if ready:
            process.enter(Phase.ready, self._clock.now())
            return process
        if not process.ended.is_set():
            why = describe_failure(process, timeout)
            await self.end(process)
            return why
        return describe_failure(process, timeout)

    async def _follow(self, exits: AsyncIterator[Exit]) -> None:
        async for end in exits:
            if process := self.known.get(end.key):
                process.code, process.lost = end.code, end.lost
                self._forget(process)
                asked = process.phase in (Phase.ending, Phase.draining)
                log.info("process ended", process=end.key, code=end.code, asked=asked)
                self._journal.put_nowait(self._record(partial(self._on_ended, end.key, end.code, asked)))
                self._gone(process)

    def _add(self, process: Process) -> None:
        self.known[process.key] = process
        if process.pool:
            process.pool.processes[process.key] = process

    def _forget(self, process: Process) -> None:
        self.known.pop(process.key, None)
        if process.pool:
            process.pool.processes.pop(process.key, None)
        process.ended.set()

    async def _write_journal(self) -> None:
        while True:
            await (await self._journal.get())

    async def _record(self, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await call()
        except Exception:
            log.exception("a process could not be written down")
