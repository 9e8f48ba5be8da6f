"""Ends the jobs that are tasks: renders and deploys, with every process they started."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from rostra.app.job_log import KILLED
from rostra.content import job_records
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.ids import TaskId
from rostra.jobs.tables import Task
from rostra.jobs.tasks import STOPPED, Tasks

WAIT_SECONDS = 15.0  # another server, or a busy one, may take longer; the order stands


async def stop(tools: Tools, tasks: Tasks, key: str, by: str) -> bool:
    """Ask for the end of the task whose job this is, and wait for it; False when no task has that job.

    ``by`` is who asks, and is what the task and the job's log say; empty: nobody in particular.
    """
    why = f"It was stopped by {by}." if by else STOPPED
    async with transaction(tools.sessions) as session:
        wanted = sa.select(Task.id).where(Task.finished_at.is_(None), Task.payload["job"].as_string() == key)
        task_id = (await session.execute(wanted)).scalar()
        if task_id is None:
            return False
        if await tasks.stop(session, task_id, why):
            await job_records.end(session, key, tools.clock.now(), exit_code=KILLED, error=why)
    await _ended(tasks, TaskId(task_id))
    return True


async def _ended(tasks: Tasks, task_id: TaskId) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + WAIT_SECONDS
    while (left := ends - loop.time()) > 0 and not (await tasks.view(task_id, wait=left)).finished:
        pass
