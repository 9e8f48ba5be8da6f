"""Works through the queue: claims a task, runs its handler, keeps the lease, writes the output and the end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import sqlalchemy as sa
import structlog

from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.ids import new_key
from rostra.jobs import output, queue
from rostra.jobs.bell import woken_within
from rostra.jobs.output import LeaseLost, TaskLog
from rostra.jobs.queue import Outcome, Work
from rostra.jobs.tasks import ADDED, Tasks, stopping

log = structlog.get_logger()

Handler: TypeAlias = Callable[[Work, TaskLog], Awaitable[Mapping[str, Any] | None]]
"""Does one task; returns its result, ``{"type", "data"}`` or None. Raises a ``Problem`` that the client should read.

Must be safe to repeat from the start, as happens after a crash. Is cancelled when the lease is lost, when somebody
asked for its end, or when the server ends.
"""


class _Stopped(Exception):
    """Somebody asked the task to end; the text says why."""


_DATABASE_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)
BUG = "Something went wrong inside the server. Its log has the details under this task's id: "


class Workers:
    """``count`` workers of one process. ``node`` names the machine and data folder, the same after a restart.

    ``limits`` is asked before each claim how many of a kind may run at once.
    """

    def __init__(
        self,
        tasks: Tasks,
        handlers: Mapping[str, Handler],
        *,
        node: str,
        count: int = 4,
        lease: dt.timedelta = dt.timedelta(seconds=60),
        idle_seconds: float = 2.0,
        limits: Callable[[], queue.Limits] = dict,
    ) -> None:
        self._tasks, self._handlers, self._node = tasks, handlers, node
        self._count, self._lease, self._idle, self._limits = count, lease, idle_seconds, limits

    async def run(self) -> None:
        """Take back what a crash left, then work until cancelled; tasks that run then are handed out again later.

        Hold the node's lock (``jobs.node.only_one``) meanwhile.
        """
        async with transaction(self._tasks.sessions) as session:
            freed = await queue.reclaim(session, self._node)
        if freed:
            log.info("interrupted tasks begin again", tasks=freed)
        started = new_key(8)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidy())
            for number in range(self._count):
                group.create_task(self._work(f"{self._node}/{started}/{number}"))

    async def _work(self, worker: str) -> None:
        with self._tasks.bell.listening(ADDED) as woken:
            while True:
                woken.clear()
                try:
                    work = await self._claim(worker)
                except _DATABASE_AWAY as why:
                    log.warning("the queue cannot be read; trying again", why=str(why.orig))
                    work = None
                if work is None:
                    await woken_within(woken, self._idle)
                else:
                    await self._do(work)

    async def _claim(self, worker: str) -> Work | None:
        limits = self._limits()
        async with transaction(self._tasks.reading) as session:
            if not await queue.anything_waits(session, self._now(), limits):
                return None
        async with transaction(self._tasks.sessions) as session:
            return await queue.claim(session, worker=worker, now=self._now(), lease=self._lease, limits=limits)

    async def _do(self, work: Work) -> None:
        lines = TaskLog(work, self._tasks.sessions, self._tasks.bell)
        try:
            await self._run_and_finish(work, lines)
        except asyncio.CancelledError:
            await self._give_back(work)
            raise
        except ExceptionGroup as why:
            if asked := why.subgroup(_Stopped):
                await self._stopped(work, lines, str(asked.exceptions[0]))
            elif why.split(LeaseLost)[1] is None:
                log.error("a task's lease was lost; somebody else does it", task=work.id, worker=work.worker)
            else:  # the lease runs out and the task begins again
                log.exception("a worker failed because of a bug", task=work.id)
        self._tasks.bell.ring(ADDED)  # another task of this subject may run

    async def _run_and_finish(self, work: Work, lines: TaskLog) -> None:
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep(work))
            await _until_stored(lambda: self._begin(work, lines))
            writing = group.create_task(lines.write())
            outcome = await self._outcome(work, lines)
            lines.close()
            await writing
            await _until_stored(lines.flush)
            await _until_stored(lambda: self._finish(work, outcome))
            keeping.cancel()
        self._tasks.bell.ring(work.id)

    async def _stopped(self, work: Work, lines: TaskLog, why: str) -> None:
        lines.say(why)
        with contextlib.suppress(LeaseLost, *_DATABASE_AWAY):  # else it is ended when the lease has run out
            await lines.flush()
            await self._finish(work, Outcome(exit_code=1, error=why))
        log.info("a task was stopped", task=work.id, kind=work.kind)
        self._tasks.bell.ring(work.id)

    async def _finish(self, work: Work, outcome: Outcome) -> None:
        async with transaction(self._tasks.sessions) as session:
            if not await queue.finish(session, work, outcome, self._now()):
                raise LeaseLost(work.id)

    async def _give_back(self, work: Work) -> None:
        with contextlib.suppress(TimeoutError, *_DATABASE_AWAY):  # else the lease runs out, or the next start reclaims
            async with asyncio.timeout(5), transaction(self._tasks.sessions) as session:
                await queue.give_back(session, work)

    async def _begin(self, work: Work, lines: TaskLog) -> None:
        """Count the lines of earlier attempts, and say so when there were any."""
        async with transaction(self._tasks.reading) as session:
            lines.continue_after(await output.count_lines(session, work.id))
            why = await queue.stop_asked(session, work.id)  # before the keeper of the lease listened for that
        if why is not None:
            raise _Stopped(why)
        if work.attempt > 1:
            lines.say(f"The server was interrupted; beginning again (attempt {work.attempt} of {queue.ATTEMPTS}).")

    async def _outcome(self, work: Work, lines: TaskLog) -> Outcome:
        try:
            return Outcome(result=await self._handlers[work.kind](work, lines))
        except Exception as why:  # whatever a handler raises is the task's end, not the worker's
            problem = understandable(why)
            if problem is not None:
                return Outcome(exit_code=1, error=str(problem))
            log.exception("a task failed because of a bug", task=work.id, kind=work.kind)
            return Outcome(exit_code=1, error=BUG + work.id)

    async def _keep(self, work: Work) -> None:
        """Renew the lease until cancelled; give up before it can run out under us, or when somebody asks for that."""
        with self._tasks.bell.listening(stopping(work.id)) as asked:
            renewed = time.monotonic()
            while True:
                await woken_within(asked, self._lease.total_seconds() / 4)
                asked.clear()
                if time.monotonic() - renewed > self._lease.total_seconds() * 0.75:
                    raise LeaseLost(work.id)
                began = time.monotonic()
                if await self._renew(work):
                    renewed = began

    async def _renew(self, work: Work) -> bool:
        """Return False when the database is away.

        Raises:
            LeaseLost, _Stopped
        """
        try:
            async with transaction(self._tasks.sessions) as session:
                if not await queue.renew(session, work, now=self._now(), lease=self._lease):
                    raise LeaseLost(work.id)
                why = await queue.stop_asked(session, work.id)
        except _DATABASE_AWAY as away:
            log.warning("a task's lease could not be renewed; trying again", task=work.id, why=str(away.orig))
            return False
        if why is not None:
            raise _Stopped(why)
        return True

    async def _tidy(self) -> None:
        """End hopeless tasks and forget old ones, at start and then every minute."""
        while True:
            try:
                async with transaction(self._tasks.sessions) as session:
                    hopeless = await queue.give_up(session, self._now())
                    await queue.prune(session, self._now())
            except _DATABASE_AWAY as why:
                log.warning("the queue cannot be tidied; trying again", why=str(why.orig))
            else:
                for task_id in hopeless:
                    log.error("a task was interrupted too often and is not tried again", task=task_id)
                    self._tasks.bell.ring(task_id)
            await asyncio.sleep(60)

    def _now(self) -> dt.datetime:
        return self._tasks.clock.now()


async def _until_stored(store: Callable[[], Awaitable[None]]) -> None:
    """Try again while the database is away: what was done must not be done twice. The lease's keeper ends the wait."""
    while True:
        try:
            return await store()
        except _DATABASE_AWAY as why:
            log.warning("the database is away; trying again", why=str(why.orig))
            await asyncio.sleep(1)


def understandable(why: BaseException) -> Problem | None:
    """Return the ``Problem`` in ``why``: itself, or the first one inside a group."""
    if isinstance(why, BaseExceptionGroup):
        return next((found for inner in why.exceptions if (found := understandable(inner))), None)
    return why if isinstance(why, Problem) else None
