"""What the queue's workers do for rehearsals: walk one, and move the items that are safe.

Both are safe to repeat: a rehearsal goes on with what was not judged, an item that was moved already stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.ids import TaskId
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Handler
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Outcome
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.tables import Rehearsal
from rostra.rehearsal.walk import Walk

REHEARSE, MOVE = "rehearse", "move"


async def enqueue(session: AsyncSession, tasks: Tasks, wanted: Wanted, user_id: int | None) -> Rehearsal:
    """Write a rehearsal down with the task that carries it out; one at a time runs."""
    made = await records.begin(session, wanted, tasks.clock.now(), user_id)
    made.task_id = await tasks.enqueue(session, REHEARSE, {"rehearsal": made.id}, subject="rehearsals", user_id=user_id)
    await session.flush()
    return made


async def enqueue_moves(
    session: AsyncSession, tasks: Tasks, results: Sequence[Mapping[str, Any]], user_id: int | None
) -> list[dict[str, str]]:
    """Add a task for each safe item; return ``{"guid", "task_id"}`` of each."""
    made = []
    for each in results:
        if each["outcome"] != Outcome.safe:
            continue
        payload = {name: each[name] for name in ("guid", "bundle_id", "to", "pins", "from")}
        task: TaskId = await tasks.enqueue(session, MOVE, payload, subject=str(each["guid"]), user_id=user_id)
        made.append({"guid": str(each["guid"]), "task_id": task})
    return made


def rehearsing(bench: Bench) -> Handler:
    """Return the handler of `REHEARSE`."""

    async def run(work: Work, output: TaskLog) -> Mapping[str, Any] | None:
        rehearsal_id = str(work.payload["rehearsal"])
        try:
            await Walk(bench, rehearsal_id, output.say).run()
        except Exception as why:
            await _failed(bench.tools, rehearsal_id, str(why))
            raise
        async with transaction(bench.tools.reading) as session:
            counted = await records.counts(session, rehearsal_id)
        return {"type": "rehearsal", "data": {"id": rehearsal_id, "summary": counted}}

    return run


async def _failed(tools: Tools, rehearsal_id: str, why: str) -> None:
    async with transaction(tools.sessions) as session:
        await records.enter(session, rehearsal_id, "failed", tools.clock.now(), why)
