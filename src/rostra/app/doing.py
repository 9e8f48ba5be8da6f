"""The processes of the jobs that control does itself, renders: they are recorded and weighed like the keeper's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import sqlalchemy as sa
import structlog

from rostra.content.tables import Job
from rostra.db.engine import Sessions, transaction
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


class Doing:
    """Which process works for which job now. One for each control process; without ``sessions`` nothing is recorded."""

    def __init__(self, sessions: Sessions | None = None) -> None:
        self._sessions = sessions
        self._pids: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def began(self, pid: int) -> None:
        """Take note that the job at hand started a process; the last one counts."""
        if key := _job.get(""):
            self._pids[key] = pid
            writing = asyncio.create_task(self._write(key, pid))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    async def _write(self, key: str, pid: int) -> None:
        if self._sessions is None:
            return
        try:
            async with transaction(self._sessions) as session:
                await session.execute(sa.update(Job).where(Job.key == key, Job.ended_at.is_(None)).values(pid=pid))
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


class Noted:
    """`Renderers` whose processes are noted."""

    def __init__(self, renderers: Renderers, doing: Doing) -> None:
        self._renderers, self._doing = renderers, doing

    async def start(self) -> Renderer:
        renderer = await self._renderers.start()
        self._doing.began(renderer.pid)
        return renderer
