"""What waits to be done, and is being done."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api.answers import Router
from rostra.api.edge import Administrator, Live, Reading, SystemReader, Writing, after_commit
from rostra.api.paging import Page, Paged
from rostra.clock import wire_time
from rostra.content import audit_log
from rostra.errors import Conflict
from rostra.jobs import queue
from rostra.jobs.tables import Task
from rostra.jobs.tasks import NoSuchTask
from rostra.wire import Time

router = Router()


class TaskInProgress(Conflict):
    code = "task-in-progress"
    number = 100

    def __init__(self) -> None:
        super().__init__("the task is being done already", hint="Wait for its end, or stop the job it runs.")


class Queued(TypedDict):
    """``name`` says what kind of task it is; ``content_guid`` is what it is about, null for the server's own."""

    id: str
    name: str
    content_guid: str | None
    queued_time: Time
    start_time: Time | None
    status: Literal["waiting", "running"]


@router.get("/v1/queue")
async def list_queue(who: SystemReader, session: Reading, page: Paged, queue_names: str = "") -> Page[Queued]:  # noqa: ARG001
    """Tasks that wait or are being done, oldest first; only those of some names (with ``,`` or ``|`` between)."""
    wanted = sa.select(Task).where(Task.finished_at.is_(None))
    names = [name for name in queue_names.replace("|", ",").split(",") if name]
    if names:
        wanted = wanted.where(Task.kind.in_(names[:100]))
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    first = (page.number - 1) * page.size
    rows = await session.execute(wanted.order_by(Task.created_at, Task.id).limit(page.size).offset(first))
    return page.of([_queued(row) for row in rows.scalars()], total)


def _queued(row: Task) -> Queued:
    started = None if row.started_at is None else wire_time(row.started_at)
    return {
        "id": row.id,
        "name": row.kind,
        "content_guid": row.subject,
        "queued_time": wire_time(row.created_at),
        "start_time": started,
        "status": "waiting" if row.started_at is None else "running",
    }


@router.delete("/v1/queue/{task_id}", status_code=204)
async def cancel_queued(task_id: str, who: Administrator, live: Live, session: Writing) -> Response:
    """Take a task that waits out of the queue; whoever follows it is told."""
    row = await session.get(Task, task_id[:100])
    if row is None or row.finished_at is not None:
        raise NoSuchTask(task_id)
    if not await queue.cancel(session, row.id, f"Taken out of the queue by {who.username}.", live.clock.now()):
        raise TaskInProgress
    audit_log.note(session, subject=row.subject, task_id=row.id, task=row.kind)

    async def told() -> None:
        live.tasks.bell.ring(row.id)

    after_commit(session, told)
    return Response(status_code=204)
