"""Tasks as the rest of the server uses them: enqueue one in a transaction, follow its output."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.clock import Clock
from rostra.db.engine import Sessions, transaction
from rostra.errors import NotFound
from rostra.ids import TaskId
from rostra.jobs import output, queue
from rostra.jobs.bell import Bell, woken_within
from rostra.jobs.tables import Task, TaskLine

LONGEST_WAIT = 30.0  # seconds one look may take
LOOK_EVERY = 0.5  # seconds; another process may be the one that works on it
ADDED = "tasks"  # the bell's name for "there is something to do"
STOPPED = "It was stopped on request."


def stopping(task_id: str) -> str:
    """Return the bell's name for "somebody asked this task to stop"."""
    return f"stop {task_id}"


class NoSuchTask(NotFound):
    code = "no-such-task"
    number = 141

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"there is no task {task_id[:40]!r}", hint="Finished tasks are kept for a week; start it again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A task as it is. ``lines`` are those from the asked number on; ``last`` is how many there are.

    ``job`` is the key of the job it does, "" when it does none.
    """

    id: TaskId
    kind: str
    job: str
    subject: str | None
    user_id: int | None
    lines: tuple[str, ...]
    last: int
    finished: bool
    exit_code: int
    error: str
    result: Mapping[str, Any] | None


class Tasks:
    """One for each process. ``reading`` makes transactions that only read; ``sessions`` those that write."""

    def __init__(self, sessions: Sessions, reading: Sessions, clock: Clock, bell: Bell | None = None) -> None:
        self.sessions, self.reading, self.clock = sessions, reading, clock
        self.bell = bell or Bell()

    async def enqueue(
        self,
        session: AsyncSession,
        kind: str,
        payload: Mapping[str, Any],
        *,
        subject: str | None = None,
        user_id: int | None = None,
    ) -> TaskId:
        """Add a task within the caller's transaction; workers are woken by its commit.

        Args:
            kind: names the handler.
            payload: what the handler is given; must survive JSON.
            subject: tasks with the same one (an item's guid) run one at a time, in order.
        """
        made = await queue.enqueue(session, kind, payload, self.clock.now(), subject=subject, user_id=user_id)
        self.bell.ring_after(session, ADDED)
        return made

    async def stop(self, session: AsyncSession, task_id: str, why: str = STOPPED) -> bool:
        """Ask within the caller's transaction for the task's end; return whether it has none to wait for."""
        ended = await queue.ask_to_stop(session, task_id, why, self.clock.now())
        self.bell.ring_after(session, task_id if ended else stopping(task_id))
        return ended

    async def view(self, task_id: str, *, first: int | None = None, wait: float = 0) -> View:
        """Return the task, waiting up to ``wait`` seconds (at most 30) for lines from ``first`` on or for its end.

        ``first`` None: all lines, and what is waited for is a change after now. Holds no connection while it waits.

        Raises:
            NoSuchTask
        """
        ends = asyncio.get_running_loop().time() + min(max(wait, 0), LONGEST_WAIT)
        with self.bell.listening(task_id) as woken:
            known = first
            while True:
                woken.clear()
                seen = await self._look(task_id, first or 0)
                known = seen.last if known is None else known
                left = ends - asyncio.get_running_loop().time()
                if seen.finished or seen.last > known or left <= 0:
                    return seen
                await woken_within(woken, min(left, LOOK_EVERY))

    async def _look(self, task_id: str, first: int) -> View:
        async with transaction(self.reading) as session:
            task = await session.get(Task, task_id)
            if task is None:
                raise NoSuchTask(task_id)
            wanted = sa.select(TaskLine.text).where(TaskLine.task_id == task_id, TaskLine.number >= first)
            lines = tuple((await session.execute(wanted.order_by(TaskLine.number))).scalars())
            last = first + len(lines) if lines else await output.count_lines(session, task_id)
        return View(
            id=TaskId(task.id),
            kind=task.kind,
            job=str(task.payload.get("job") or ""),
            subject=task.subject,
            user_id=task.user_id,
            lines=lines,
            last=last,
            finished=task.finished_at is not None,
            exit_code=task.exit_code,
            error=task.error,
            result=task.result,
        )
