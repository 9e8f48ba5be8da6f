"""Schedules as rows: set, changed, and turned into runs when they are due. Nobody here commits.

A run is a task, added in the transaction that moves the schedule on: so it is added exactly once, whichever of several
servers does it and wherever it dies. What was missed while no server ran is run once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item
from rostra.db.engine import alone
from rostra.errors import Conflict, NotFound
from rostra.jobs.tables import Task
from rostra.rendering.calendar import Schedule, next_run
from rostra.rendering.calendar_payload import checked
from rostra.rendering.calendar_words import described
from rostra.rendering.tables import ScheduleRow, Variant

RENDER, SCHEDULED = "render", "scheduled-render"  # the kinds of task that render a document again
CHANGED = "schedules"  # the bell's name for "a schedule was changed"
STILL_WAITING = "The run before it had not begun yet."
STILL_RUNNING = "The run before it had not ended yet."


class NoSuchSchedule(NotFound):
    code = "no-such-schedule"

    def __init__(self, schedule_id: object = None) -> None:
        """``schedule_id`` None: the one that a variant would have."""
        if schedule_id is None:
            super().__init__("this variant has no schedule", hint="Set one first.")
        else:
            super().__init__(f"there is no schedule {str(schedule_id)[:40]!r}", hint="List the variant's schedules.")


class ScheduleExists(Conflict):
    code = "schedule-exists"
    number = 102

    def __init__(self) -> None:
        super().__init__("this variant has a schedule already", hint="Change that one.")


class MadeForOneLook(Conflict):
    code = "ad-hoc-variant-not-scheduled"
    number = 73

    def __init__(self) -> None:
        super().__init__("what is made for one look has no schedule", hint="Keep it as a variant first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client asks for; ``payload`` is JSON text, ``start`` aware."""

    every: str
    payload: str
    start: dt.datetime
    zone: str
    email: bool = False
    activate: bool = True
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose time came ``at`` then, with what it is of. ``overlap`` says why it must be skipped, if so."""

    schedule: ScheduleRow
    variant: Variant
    item: Item
    overlap: str
    at: dt.datetime


async def of_variant(session: AsyncSession, variant_id: int) -> ScheduleRow | None:
    wanted = sa.select(ScheduleRow).where(ScheduleRow.variant_id == variant_id)
    return (await session.execute(wanted)).scalar_one_or_none()


async def get(session: AsyncSession, schedule_id: int) -> ScheduleRow:
    """Raises: NoSuchSchedule."""
    row = await session.get(ScheduleRow, schedule_id) if 0 < schedule_id < 2**63 else None
    if row is None:
        raise NoSuchSchedule(schedule_id)
    return row


async def create(
    session: AsyncSession, variant: Variant, wanted: Wanted, *, user_id: int, now: dt.datetime
) -> ScheduleRow:
    """Give the variant a schedule.

    Raises:
        ScheduleExists, MadeForOneLook
        BadSchedule: and what else `calendar_payload.checked` raises.
    """
    if variant.ad_hoc:
        raise MadeForOneLook
    await alone(session, f"schedules/{variant.id}")
    if await of_variant(session, variant.id) is not None:
        raise ScheduleExists
    row = ScheduleRow(variant_id=variant.id, created_by_id=user_id, created_at=now)
    _fill(row, wanted, now)
    session.add(row)
    await session.flush()
    return row


async def change(session: AsyncSession, row: ScheduleRow, wanted: Wanted, now: dt.datetime) -> None:
    """Replace what the schedule says; its next run is worked out anew.

    Raises:
        BadSchedule: and what else `calendar_payload.checked` raises.
    """
    _fill(row, wanted, now)
    await session.flush()


def _fill(row: ScheduleRow, wanted: Wanted, now: dt.datetime) -> None:
    calendar = checked(wanted.every, wanted.payload, wanted.start, wanted.zone)
    row.every, row.payload, row.start_at, row.zone = wanted.every, wanted.payload, wanted.start, wanted.zone
    row.email, row.activate, row.paused, row.updated_at = wanted.email, wanted.activate, wanted.paused, now
    row.next_run = None if wanted.paused else next_run(calendar, now)


def calendar_of(row: ScheduleRow) -> Schedule:
    return checked(row.every, row.payload, row.start_at, row.zone)


async def remove(session: AsyncSession, row: ScheduleRow) -> None:
    await session.delete(row)
    await session.flush()


async def by_item(session: AsyncSession) -> dict[str, str]:
    """Return the schedules of each item that has some, in words, by its guid; one query."""
    found = sa.select(Item.guid, ScheduleRow).join(Variant, Variant.id == ScheduleRow.variant_id)
    found = found.join(Item, Item.id == Variant.item_id).order_by(Variant.is_default.desc(), Variant.id)
    words: dict[str, list[str]] = {}
    for guid, row in await session.execute(found.where(Item.deleted_at.is_(None))):
        paused = " (paused)" if row.paused else ""
        words.setdefault(guid, []).append(f"{described(calendar_of(row))}{paused}")
    return {guid: "; ".join(each) for guid, each in words.items()}


async def soonest(session: AsyncSession) -> dt.datetime | None:
    """Return when the next schedule is due, also when that is past."""
    found: dt.datetime | None = (await session.execute(sa.select(sa.func.min(ScheduleRow.next_run)))).scalar_one()
    return found


async def run_due(
    session: AsyncSession, now: dt.datetime, start: Callable[[Due], Awaitable[None]], *, most: int = 20
) -> int:
    """Let ``start`` begin up to ``most`` due runs, and move their schedules on; return how many there were.

    Rows that another server is moving on at this moment are left to it.
    """
    rows = await _locked(session, now, most)
    for row in rows:
        variant = await session.get_one(Variant, row.variant_id)
        item = await session.get_one(Item, variant.item_id)
        at, row.next_run = row.next_run or now, next_run(calendar_of(row), now)
        if item.deleted_at is None and not item.locked and item.live_bundle_id is not None:
            await start(Due(row, variant, item, await overlap(session, variant.id), at))
    await session.flush()
    return len(rows)


async def _locked(session: AsyncSession, now: dt.datetime, most: int) -> Sequence[ScheduleRow]:
    wanted = sa.select(ScheduleRow).where(ScheduleRow.next_run <= now, ScheduleRow.paused.is_(False))
    wanted = wanted.order_by(ScheduleRow.next_run, ScheduleRow.id).limit(most)
    return (await session.execute(wanted.with_for_update(skip_locked=True))).scalars().all()


async def overlap(session: AsyncSession, variant_id: int) -> str:
    """Return why another scheduled run would be one too many, or an empty text."""
    wanted = sa.select(Task.started_at).where(
        Task.kind == SCHEDULED, Task.finished_at.is_(None), Task.payload["variant_id"].as_integer() == variant_id
    )
    found = (await session.execute(wanted.limit(1))).one_or_none()
    if found is None:
        return ""
    return STILL_WAITING if found.started_at is None else STILL_RUNNING
