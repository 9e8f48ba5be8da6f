"""What the queue's workers do for rehearsals: walk one, and move the items that are safe.

Both are safe to repeat: a rehearsal goes on with what was not judged, an item that was moved already stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.errors import Conflict
from rostra.ids import TaskId
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tables import Task
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Handler
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Outcome
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.tables import Rehearsal
from rostra.rehearsal.walk import Walk
from rostra.wire import Guid

REHEARSE, MOVE = "rehearse", "move"


class NotStopped(Conflict):
    """There is nothing to go on with."""

    code = "rehearsal-not-stopped"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"the rehearsal is {state}", hint="Only one that was stopped or failed goes on; wait until it has ended."
        )


async def enqueue(session: AsyncSession, tasks: Tasks, wanted: Wanted, user_id: int | None) -> Rehearsal:
    """Write a rehearsal down with the task that carries it out; one at a time runs."""
    made = await records.begin(session, wanted, tasks.clock.now(), user_id)
    made.task_id = await tasks.enqueue(session, REHEARSE, {"rehearsal": made.id}, subject="rehearsals", user_id=user_id)
    await session.flush()
    return made


async def resume(session: AsyncSession, tasks: Tasks, rehearsal_id: str, user_id: int | None) -> Rehearsal:
    """Go on with one that was stopped or failed: what was judged stays, a task of its own judges the rest.

    Raises:
        NoSuchRehearsal
        NotStopped: it goes on, is done, or the task that was told to stop has not ended yet.
    """
    found = await records.get(session, rehearsal_id)
    before = await session.get(Task, found.task_id) if found.task_id else None
    if before is not None and before.finished_at is None:
        raise NotStopped("still under way")  # what stops now would stop the one that follows as well
    if not await records.reopen(session, found.id):
        raise NotStopped(found.state)
    await session.refresh(found)
    found.task_id = await tasks.enqueue(
        session, REHEARSE, {"rehearsal": found.id}, subject="rehearsals", user_id=user_id
    )
    await session.flush()
    return found


class MovingTask(TypedDict):
    guid: Guid
    task_id: str


async def enqueue_moves(
    session: AsyncSession, tasks: Tasks, results: Sequence[Mapping[str, Any]], user_id: int | None
) -> list[MovingTask]:
    """Add a task for each safe item; return ``{"guid", "task_id"}`` of each."""
    made: list[MovingTask] = []
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
