"""A durable queue in the server's own database: the tasks table itself.

Delivery is at least once: a worker that dies loses its lease and the task is handed out again, so handlers must be safe
to repeat. Never two at a time for the same task or the same subject; tasks of one subject run in the order they came.
Every function works in the caller's transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from rostra.db.engine import alone
from rostra.ids import TaskId, new_key
from rostra.jobs.tables import Task, TaskLine

ATTEMPTS = 3
KEPT = dt.timedelta(days=7)  # how long finished tasks can be read
GIVEN_UP = (
    f"The server stopped {ATTEMPTS} times while it worked on this, so it is not tried again. "
    "The server's log says why it stopped; then start the task anew."
)


Limits: TypeAlias = Mapping[str, int]
"""How many tasks of a kind may run at the same time, on all servers together. Kinds that are not named may all run."""
_NO_LIMITS: Limits = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task that was handed to ``worker``. ``attempt`` counts from 1; together they are the right to write its end."""

    id: TaskId
    kind: str
    payload: Mapping[str, Any]
    subject: str | None
    user_id: int | None
    worker: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended. ``result`` is ``{"type": str, "data": any}`` or None, as clients print it."""

    exit_code: int = 0
    error: str = ""
    result: Mapping[str, Any] | None = None


async def enqueue(
    session: AsyncSession,
    kind: str,
    payload: Mapping[str, Any],
    now: dt.datetime,
    *,
    subject: str | None = None,
    user_id: int | None = None,
) -> TaskId:
    """Add a task; it can be claimed once the transaction is committed."""
    task_id = TaskId(new_key())
    if subject is not None:
        now = await _after_others(session, subject, now)
    session.add(Task(id=task_id, kind=kind, payload=dict(payload), subject=subject, user_id=user_id, created_at=now))
    await session.flush()
    return task_id


async def _after_others(session: AsyncSession, subject: str, now: dt.datetime) -> dt.datetime:
    """Return a moment after every unfinished task of the subject, also when the clock stood still or was put back."""
    newest = sa.select(sa.func.max(Task.created_at)).where(Task.subject == subject, Task.finished_at.is_(None))
    latest = (await session.execute(newest)).scalar_one()
    return now if latest is None else max(now, latest + dt.timedelta(microseconds=1))


async def claim(
    session: AsyncSession, *, worker: str, now: dt.datetime, lease: dt.timedelta, limits: Limits = _NO_LIMITS
) -> Work | None:
    """Take the next task that may run, or None. Those of a kind that is at its limit let later ones go first.

    Who asks for things takes turns: the next is the oldest task of the person whose last one of its kind began longest
    ago, so that two hundred of one person's documents do not hold up another's.
    Claims take turns: of two at the same time neither could see that the other is about to take the subject.
    """
    await alone(session, "claim")
    oldest = (
        sa.select(Task.id)
        .where(_may_run(now, limits))
        .order_by(_last_turn().nulls_first(), Task.created_at, Task.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Task)  # left out on SQLite, which has one writer
    )
    took = (
        sa.update(Task)
        .where(Task.id == oldest.scalar_subquery())
        .values(
            worker=worker,
            leased_until=now + lease,
            attempts=Task.attempts + 1,
            started_at=sa.func.coalesce(Task.started_at, now),
        )
        .returning(Task.id, Task.kind, Task.payload, Task.subject, Task.user_id, Task.attempts)
        .execution_options(synchronize_session=False)
    )
    row = (await session.execute(took)).one_or_none()
    if row is None:
        return None
    return Work(
        id=TaskId(row.id),
        kind=row.kind,
        payload=row.payload,
        subject=row.subject,
        user_id=row.user_id,
        worker=worker,
        attempt=row.attempts,
    )


async def anything_waits(session: AsyncSession, now: dt.datetime, limits: Limits = _NO_LIMITS) -> bool:
    """Return whether ``claim`` would find something. Reads only, so idle workers need not take the writer's turn."""
    return (await session.execute(sa.select(Task.id).where(_may_run(now, limits)).limit(1))).first() is not None


def _may_run(now: dt.datetime, limits: Limits) -> sa.ColumnElement[bool]:
    other = aliased(Task)
    came_before = sa.or_(
        other.created_at < Task.created_at, sa.and_(other.created_at == Task.created_at, other.id < Task.id)
    )
    in_the_way = sa.exists().where(
        other.subject == Task.subject,
        other.id != Task.id,
        other.finished_at.is_(None),
        sa.or_(came_before, other.leased_until > now),
    )
    room = [_room(kind, most, now) for kind, most in limits.items()]
    return sa.and_(Task.finished_at.is_(None), _nobody_has_it(now), _may_be_tried(), ~in_the_way, *room)


def _last_turn() -> sa.ScalarSelect[dt.datetime | None]:
    other = aliased(Task)
    began = sa.select(sa.func.max(other.started_at)).where(other.kind == Task.kind, other.user_id == Task.user_id)
    return began.scalar_subquery()


def _may_be_tried() -> sa.ColumnElement[bool]:
    return sa.and_(Task.attempts < ATTEMPTS, Task.stop_asked.is_(None))


def _room(kind: str, most: int, now: dt.datetime) -> sa.ColumnElement[bool]:
    busy = aliased(Task)
    running = sa.select(sa.func.count()).select_from(busy)
    running = running.where(busy.kind == kind, busy.finished_at.is_(None), busy.leased_until > now)
    return sa.or_(Task.kind != kind, running.scalar_subquery() < most)


def _nobody_has_it(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Task.leased_until.is_(None), Task.leased_until <= now)


async def ask_to_stop(session: AsyncSession, task_id: str, why: str, now: dt.datetime) -> bool:
    """End a task that nobody has, and return True; whoever has it otherwise reads ``why``, and ends it soon.

    A task that ended already stays as it is.
    """
    open_ = sa.update(Task).where(Task.id == task_id, Task.finished_at.is_(None))
    at_once = open_.where(_nobody_has_it(now)).values(
        finished_at=now, leased_until=None, exit_code=1, error=why, stop_asked=why
    )
    result = await session.execute(at_once.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    if result.rowcount:
        return True
    await session.execute(open_.values(stop_asked=why).execution_options(synchronize_session=False))
    return False


async def stop_asked(session: AsyncSession, task_id: str) -> str | None:
    """Return why the task should end, None when it should not."""
    found: str | None = (await session.execute(sa.select(Task.stop_asked).where(Task.id == task_id))).scalar()
    return found


async def renew(session: AsyncSession, work: Work, *, now: dt.datetime, lease: dt.timedelta) -> bool:
    """Keep the task for another ``lease``; False when somebody else has it: stop working on it at once."""
    return await _change(session, work, leased_until=now + lease)


async def finish(session: AsyncSession, work: Work, outcome: Outcome, now: dt.datetime) -> bool:
    """Record the end; False, and nothing is recorded, when the task is not this worker's any more."""
    result = None if outcome.result is None else dict(outcome.result)
    return await _change(
        session,
        work,
        finished_at=now,
        leased_until=None,
        exit_code=outcome.exit_code,
        error=outcome.error,
        result=result,
    )


async def give_back(session: AsyncSession, work: Work) -> bool:
    """Let somebody else begin anew; an orderly stop does not count as an attempt."""
    return await _change(session, work, leased_until=None, worker=None, attempts=work.attempt - 1)


async def cancel(session: AsyncSession, task_id: str, why: str, now: dt.datetime) -> bool:
    """End a task before anybody has begun it; False when somebody has."""
    waits = (Task.id == task_id, Task.finished_at.is_(None), Task.started_at.is_(None), Task.leased_until.is_(None))
    ended = sa.update(Task).where(*waits).values(finished_at=now, exit_code=1, error=why)
    result = await session.execute(ended.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def owns(session: AsyncSession, work: Work) -> bool:
    """Return whether the task is still this worker's, and hold it so until the transaction ends."""
    mine = sa.select(Task.id).where(*_mine(work)).with_for_update()
    return (await session.execute(mine)).first() is not None


async def _change(session: AsyncSession, work: Work, **values: Any) -> bool:
    changed = sa.update(Task).where(*_mine(work)).values(**values).execution_options(synchronize_session=False)
    result = await session.execute(changed)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _mine(work: Work) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Task.id == work.id,
        Task.worker == work.worker,
        Task.attempts == work.attempt,
        Task.finished_at.is_(None),
    )


async def reclaim(session: AsyncSession, node: str) -> list[TaskId]:
    """At start: take back what this node's dead workers (named ``{node}/…``) had. Return which.

    Only with certainty that they are dead: hold the node's lock (``jobs.node``).
    """
    theirs = Task.worker.startswith(f"{node}/", autoescape=True)
    freed = sa.update(Task).where(Task.finished_at.is_(None), Task.leased_until.is_not(None), theirs)
    rows = await session.execute(
        freed.values(leased_until=None).returning(Task.id).execution_options(synchronize_session=False)
    )
    return [TaskId(found) for found in rows.scalars()]


async def give_up(session: AsyncSession, now: dt.datetime) -> list[TaskId]:
    """End the tasks that nobody has and that were tried too often, or were asked to stop. Return which."""
    hopeless = sa.update(Task).where(Task.finished_at.is_(None), ~_may_be_tried(), _nobody_has_it(now))
    rows = await session.execute(
        hopeless.values(
            finished_at=now, leased_until=None, exit_code=1, error=sa.func.coalesce(Task.stop_asked, GIVEN_UP)
        )
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    return [TaskId(found) for found in rows.scalars()]


async def prune(session: AsyncSession, now: dt.datetime, kept: dt.timedelta = KEPT) -> None:
    """Forget tasks that finished longer ago than ``kept``, with their output."""
    old = sa.select(Task.id).where(Task.finished_at < now - kept)
    await session.execute(sa.delete(TaskLine).where(TaskLine.task_id.in_(old)))
    await session.execute(sa.delete(Task).where(Task.finished_at < now - kept))
