"""What jobs took over time: one row for each running process and look, kept for a bounded time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item, Job, JobSample

KEPT = dt.timedelta(days=2)
MOST = 10_000  # rows of one answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at one job; ``cpu`` is in cores since the look before."""

    job: str
    at: dt.datetime
    cpu: float
    memory_bytes: int
    processes: int
    connections: int


async def store(session: AsyncSession, samples: Sequence[Sample], *, by_default: bool) -> int:
    """Write samples of jobs there are, where the item has its figures collected; return how many were written."""
    wanted = sa.select(Job.key, Item.settings).join(Item, Item.id == Job.item_id)
    rows = []
    for start in range(0, len(samples), 500):
        part = {sample.job: sample for sample in samples[start : start + 500]}
        for key, settings in await session.execute(wanted.where(Job.key.in_(list(part)))):
            own = (settings or {}).get("metrics_collection_enabled")
            if by_default if own is None else own:
                rows.append(_row(part[key]))
    if rows:
        await session.execute(sa.insert(JobSample), rows)
    return len(rows)


def _row(sample: Sample) -> dict[str, object]:
    return {
        "job_key": sample.job,
        "at": sample.at,
        "cpu": sample.cpu,
        "memory_bytes": sample.memory_bytes,
        "processes": sample.processes,
        "connections": sample.connections,
    }


async def listing(
    session: AsyncSession, job: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Sequence[JobSample]:
    """Return a job's samples in [``since``, ``until``), oldest first; of too many the newest."""
    wanted = sa.select(JobSample).where(JobSample.job_key == job)
    if since is not None:
        wanted = wanted.where(JobSample.at >= since)
    if until is not None:
        wanted = wanted.where(JobSample.at < until)
    return (await session.execute(wanted.order_by(JobSample.at.desc()).limit(MOST))).scalars().all()[::-1]


async def prune(session: AsyncSession, now: dt.datetime, kept: dt.timedelta = KEPT) -> None:
    """Forget samples older than ``kept``."""
    await session.execute(sa.delete(JobSample).where(JobSample.at < now - kept))
