"""Gives the server a task through its own records and shows its progress; the task outlives this command."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.cli.reading import reading
from rostra.clock import SystemClock
from rostra.config.load import Loaded
from rostra.db.engine import Sessions, open_engine, reading_factory, session_factory, transaction
from rostra.jobs.node import held
from rostra.jobs.tables import Task
from rostra.jobs.tasks import Tasks, View

Enqueue = Callable[[AsyncSession, dt.datetime], Awaitable[str]]


def served(ready: Loaded) -> bool:
    """Return whether a server works on this data folder now."""
    return held(ready.settings.server.data_dir / "run" / "control.lock")


async def follow(ready: Loaded, kind: str, enqueue: Enqueue, *, joining: bool = True) -> int:
    """Add a task and print what it says until it ends; return its exit status.

    Args:
        joining: when one of this kind is not finished, show that one instead of adding another.

    Raises:
        NoDatabase, DatabaseBehind
    """
    await reading(ready.settings, _nothing)
    engine = open_engine(ready.settings)
    try:
        sessions, looking = session_factory(engine), reading_factory(engine)
        task_id = await _begun(sessions, kind, enqueue, joining=joining)
        if not served(ready):
            print(f"The server is not running; task {task_id} begins when it starts. This command then shows it.")
            return 0
        return await _shown(Tasks(sessions, looking, SystemClock()), task_id)
    finally:
        await engine.dispose()


async def _nothing(_: AsyncSession) -> None:
    return None


async def _begun(sessions: Sessions, kind: str, enqueue: Enqueue, *, joining: bool) -> str:
    async with transaction(sessions) as session:
        under_way = sa.select(Task.id).where(Task.kind == kind, Task.finished_at.is_(None)).order_by(Task.created_at)
        there = (await session.execute(under_way.limit(1))).scalar_one_or_none() if joining else None
        if there:
            print(f"One is under way already; showing task {there}", file=sys.stderr)
            return there
        return await enqueue(session, SystemClock().now())


async def _shown(tasks: Tasks, task_id: str) -> int:
    """Print lines as they come. Looks again when the server restarts: the task goes on with it."""
    shown = 0
    while True:
        view: View = await tasks.view(task_id, first=shown, wait=10)
        for line in view.lines:
            print(line, flush=True)
        shown = max(shown, view.last)
        if view.finished:
            if view.error:
                print(view.error, file=sys.stderr)
            return view.exit_code
        await asyncio.sleep(0)
