"""Renderings over time: the last run of each variant, the history of one, and how many failed when. Reads only."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item, Job

MOST = 500  # runs of one history
LONGEST = dt.timedelta(days=366)
MOST_COUNTED = 200_000
MOST_BARS = 48
WIDTHS = tuple(
    dt.timedelta(minutes=minutes)
    for minutes in (5, 15, 30, 60, 3 * 60, 6 * 60, 12 * 60, 24 * 60, 7 * 24 * 60, 30 * 24 * 60)
)
_EPOCH = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)  # a Monday
OUTCOMES = ("waiting", "running", "succeeded", "failed", "skipped")


def outcome(job: Job) -> str:
    """Return how a run ended, or that it has not."""
    return _outcome(job.started_at, job.ended_at, job.exit_code, job.skip_reason)


def _outcome(
    started_at: dt.datetime | None, ended_at: dt.datetime | None, exit_code: int | None, skip_reason: str | None
) -> str:
    if skip_reason is not None:
        return "skipped"
    if ended_at is None:
        return "waiting" if started_at is None else "running"
    return "succeeded" if exit_code == 0 else "failed"


async def last_of(session: AsyncSession, variant_ids: Collection[int]) -> Mapping[int, Job]:
    """Return the newest run of each of these variants that has one."""
    newest = sa.select(sa.func.max(Job.id)).where(Job.variant_id.in_(sorted(variant_ids))).group_by(Job.variant_id)
    rows = await session.execute(sa.select(Job).where(Job.id.in_(newest)))
    return {job.variant_id: job for job in rows.scalars() if job.variant_id is not None}


def last_ended(*outcomes: str) -> sa.Select[int | None]:
    """Return the ids of the variants whose newest run ended in one of these ways, as a subquery."""
    newest = sa.select(sa.func.max(Job.id)).where(Job.variant_id.is_not(None)).group_by(Job.variant_id)
    ways = {
        "skipped": Job.skip_reason.is_not(None),
        "waiting": sa.and_(Job.skip_reason.is_(None), Job.ended_at.is_(None), Job.started_at.is_(None)),
        "running": sa.and_(Job.skip_reason.is_(None), Job.ended_at.is_(None), Job.started_at.is_not(None)),
        "succeeded": sa.and_(Job.skip_reason.is_(None), Job.ended_at.is_not(None), Job.exit_code == 0),
        "failed": sa.and_(Job.skip_reason.is_(None), Job.ended_at.is_not(None), Job.exit_code != 0),
    }
    wanted = sa.or_(*(ways[one] for one in outcomes))
    return sa.select(Job.variant_id).where(Job.id.in_(newest), wanted)


async def of_variant(session: AsyncSession, variant_id: int, *, limit: int) -> Sequence[Job]:
    """Return a variant's runs, newest first."""
    wanted = sa.select(Job).where(Job.variant_id == variant_id).order_by(Job.id.desc()).limit(min(limit, MOST))
    return (await session.execute(wanted)).scalars().all()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many runs ended how; ``bars`` the same for each stretch of ``width`` in which any was asked for."""

    since: dt.datetime
    until: dt.datetime
    total: Counter[str] = field(default_factory=Counter)
    bars: dict[dt.datetime, Counter[str]] = field(default_factory=dict)

    @property
    def width(self) -> dt.timedelta:
        """How much time one bar stands for: as little as gives no more than ``MOST_BARS``."""
        return next((width for width in WIDTHS if width * MOST_BARS >= self.until - self.since), WIDTHS[-1])


async def summary(
    session: AsyncSession, among: sa.ColumnElement[bool], since: dt.datetime, until: dt.datetime
) -> Summary:
    """Count the runs of the items ``among`` lets through, asked for in [``since``, ``until``).

    The oldest are at most ``LONGEST`` before its end.
    """
    since = max(since, until - LONGEST)
    columns = (Job.queued_at, Job.started_at, Job.ended_at, Job.exit_code, Job.skip_reason)
    wanted = sa.select(*columns).join(Item, Item.id == Job.item_id).where(among)
    wanted = wanted.where(Job.variant_id.is_not(None), Job.queued_at >= since, Job.queued_at < until)
    rows = await session.execute(wanted.order_by(Job.queued_at).limit(MOST_COUNTED))
    return counted(Summary(since=since, until=until), ((row[0], _outcome(*row[1:])) for row in rows))


def counted(into: Summary, runs: Iterable[tuple[dt.datetime, str]]) -> Summary:
    """Add runs to a summary. Pure."""
    width = into.width
    for at, how in runs:
        into.total[how] += 1
        into.bars.setdefault(at - (at - _EPOCH) % width, Counter())[how] += 1
    return into
