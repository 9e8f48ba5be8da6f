"""The record of each process: written when it starts and when it ends, read by the jobs API and the log pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item, Job
from rostra.db.engine import alone
from rostra.ids import new_key


async def begin(
    session: AsyncSession,
    item_id: int,
    tag: str,
    now: dt.datetime,
    *,
    key: str | None = None,
    bundle_id: int | None = None,
    pid: int | None = None,
    log: str | None = None,
    started: bool = True,
) -> Job:
    """Add a record. ``log`` is a path under the data folder; ``started`` False: it waits for its turn."""
    await alone(session, "jobs")
    last = (await session.execute(sa.select(sa.func.max(Job.id)))).scalar_one_or_none() or 0
    job = Job(
        key=key or new_key(),
        id=last + 1,
        item_id=item_id,
        bundle_id=bundle_id,
        tag=tag,
        pid=pid,
        log=log,
        queued_at=now,
        started_at=now if started else None,
    )
    session.add(job)
    await session.flush()
    return job


async def end(session: AsyncSession, key: str, now: dt.datetime, *, exit_code: int, error: str | None = None) -> None:
    """Complete a record; one that is complete already stays as it is."""
    await session.execute(
        sa.update(Job)
        .where(Job.key == key, Job.ended_at.is_(None))
        .values(ended_at=now, exit_code=exit_code, error=error)
    )


async def of_item(session: AsyncSession, item: Item) -> Sequence[Job]:
    """Return the records of an item, newest first."""
    wanted = sa.select(Job).where(Job.item_id == item.id).order_by(Job.id.desc())
    return (await session.execute(wanted)).scalars().all()


async def reconcile(session: AsyncSession, running: Sequence[str], now: dt.datetime) -> int:
    """At start: end the records of all that is neither running nor going to be begun again; return how many."""
    gone = (
        sa.update(Job)
        .where(Job.ended_at.is_(None), Job.key.not_in(running))
        .values(ended_at=now, exit_code=-1, error="The server was interrupted while it ran.")
    )
    result = await session.execute(gone)
    return int(getattr(result, "rowcount", 0))
