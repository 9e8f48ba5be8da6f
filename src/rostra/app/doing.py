"""The processes of the jobs that control does itself, renders: they are recorded and weighed like the keeper's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content import job_samples
from rostra.content.job_samples import Sample
from rostra.content.tables import Job
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.execution import weights
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey
from rostra.rendering.renderers import Renderer, Renderers

log = structlog.get_logger()

_job: ContextVar[str] = ContextVar("job")  # of the task at hand, however deep in it a process is started


@contextlib.contextmanager
def job(key: str) -> Iterator[None]:
    """Say whose processes are started within the block."""
    token = _job.set(key)
    try:
        yield
    finally:
        _job.reset(token)


def current() -> str:
    """Return the job at hand; empty when there is none."""
    return _job.get("")


class Since(NamedTuple):
    """When a process was looked at last, and the seconds it had used then."""

    moment: float
    cpu_seconds: float


class Doing:
    """Which process works for which job now. One for each control process; without ``tools`` nothing is recorded."""

    def __init__(self, tools: Tools | None = None) -> None:
        self._tools = tools
        self._pids: dict[str, int] = {}
        self._since: dict[str, Since] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def began(self, pid: int, before: Weight | None = None) -> None:
        """Take note that the job at hand started a process; the last one counts. ``before``: what it had taken."""
        if key := _job.get(""):
            self._pids[key] = pid
            self._since[key] = Since(time.monotonic(), before.cpu_seconds if before else 0.0)
            self._write(key, lambda session: _of_process(session, key, pid))

    def ended(self, took: Weight) -> None:
        """Take note that the process of the job at hand has ended: short ones are seen by nobody else."""
        key = _job.get("")
        if self._tools is None or (since := self._since.pop(key, None)) is None:
            return
        elapsed = max(0.001, time.monotonic() - since.moment)
        sample = Sample(
            job=key,
            at=self._tools.clock.now(),
            cpu=round(max(0.0, took.cpu_seconds - since.cpu_seconds) / elapsed, 4),
            memory_bytes=took.memory_bytes,
            processes=took.processes,
            connections=0,
        )
        by_default = self._tools.settings().applications.metrics_collection_enabled
        self._write(key, lambda session: job_samples.store(session, [sample], by_default=by_default))

    @property
    def working(self) -> set[ProcessKey]:
        """The jobs with a process, as far as is known without looking."""
        return {ProcessKey(key) for key in self._pids}

    def looked(self, seen: Mapping[ProcessKey, Weight]) -> None:
        """Take note that what processes take was recorded now."""
        for key in self._since.keys() & seen.keys():
            self._since[key] = Since(time.monotonic(), seen[ProcessKey(key)].cpu_seconds)

    def _write(self, key: str, what: Callable[[AsyncSession], Awaitable[object]]) -> None:
        if self._tools is not None:
            writing = asyncio.create_task(self._written(self._tools, key, what))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    async def _written(self, tools: Tools, key: str, what: Callable[[AsyncSession], Awaitable[object]]) -> None:
        try:
            async with transaction(tools.sessions) as session:
                await what(session)
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:  # the render does not depend on it
            log.warning("the process of a job is not written down", job=key, why=str(why.orig))

    async def weigh(self) -> Mapping[ProcessKey, Weight]:
        """Return what each takes with all it started; those that ended are forgotten."""
        known = dict(self._pids)
        found = await asyncio.to_thread(lambda: {key: weights.weigh(pid) for key, pid in known.items()})
        for key, weight in found.items():
            if weight is None and self._pids.get(key) == known[key]:
                del self._pids[key]
        return {ProcessKey(key): weight for key, weight in found.items() if weight is not None}


async def _of_process(session: AsyncSession, key: str, pid: int) -> None:
    await session.execute(sa.update(Job).where(Job.key == key, Job.ended_at.is_(None)).values(pid=pid))


class Noted:
    """`Renderers` whose processes are noted."""

    def __init__(self, renderers: Renderers, doing: Doing) -> None:
        self._renderers, self._doing = renderers, doing

    async def start(self) -> Renderer:
        renderer = await self._renderers.start()
        self._doing.began(renderer.pid)
        return renderer
