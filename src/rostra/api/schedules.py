"""The unversioned routes for schedules, as older clients use them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from rostra.api import edge, variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, Writing, after_commit
from rostra.api.schedules_body import NewScheduleBody, ScheduleBody, wanted
from rostra.api.services import Services
from rostra.api.variants import SeenVariant
from rostra.api.variants_shapes import LegacySchedule, VariantSubject
from rostra.auth.principals import Principal
from rostra.content.access import visible_to
from rostra.content.tables import Item
from rostra.rendering import refresh, schedules, variants
from rostra.rendering.tables import ScheduleRow, Variant
from rostra.wire import Guid

router = Router()


def moved(subject: VariantSubject) -> None:
    """Let the clock look again once this is committed: something else may be due first."""

    async def told() -> None:
        subject.live.tasks.bell.ring(schedules.CHANGED)

    after_commit(subject.session, told)


class DetailedSchedule(LegacySchedule):
    app_guid: Guid
    app_name: str
    app_title: str | None
    variant_key: str


class Schedules(TypedDict):
    """With ``detailed`` each has what it is of."""

    schedules: list[LegacySchedule | DetailedSchedule]


@router.get("/variants/{variant_id}/schedules")
async def list_schedules(subject: SeenVariant) -> list[LegacySchedule]:
    """The variant's schedule: a list of one, or of none."""
    row = await schedules.of_variant(subject.session, subject.variant.id)
    return [] if row is None else [variants_shapes.schedule(row, subject.variant)]


@router.post("/schedules")
async def create_schedule(
    body: Annotated[NewScheduleBody, edge.parsed(NewScheduleBody)], who: Known, live: Live, session: Writing
) -> LegacySchedule:
    """Give a variant a schedule."""
    subject = await variants_shapes.load(session, live, who, body.variant_id, to_run=True)
    refresh.check(subject.item)
    now = live.clock.now()
    row = await schedules.create(session, subject.variant, wanted(body, None, now), user_id=who.user_id, now=now)
    moved(subject)
    return variants_shapes.schedule(row, subject.variant)


@router.get("/schedules/{schedule_id}")
async def get_schedule(schedule_id: int, who: Known, live: Live, session: Reading) -> LegacySchedule:
    """One schedule."""
    row, subject = await _one(session, live, who, schedule_id)
    return variants_shapes.schedule(row, subject.variant)


@router.post("/schedules/{schedule_id}")
async def change_schedule(
    schedule_id: int,
    body: Annotated[ScheduleBody, edge.parsed(ScheduleBody)],
    who: Known,
    live: Live,
    session: Writing,
) -> LegacySchedule:
    """Change a schedule; its next run is worked out anew."""
    row, subject = await _one(session, live, who, schedule_id, to_run=True)
    now = live.clock.now()
    await schedules.change(session, row, wanted(body, row, now), now)
    moved(subject)
    return variants_shapes.schedule(row, subject.variant)


@router.delete("/schedules/{schedule_id}", status_code=204)
async def remove_schedule(schedule_id: int, who: Known, live: Live, session: Writing) -> None:
    """Remove a schedule. A run that has begun goes on."""
    row, _ = await _one(session, live, who, schedule_id, to_run=True)
    await schedules.remove(session, row)


async def _one(
    session: AsyncSession, live: Services, who: Principal, schedule_id: int, *, to_run: bool = False
) -> tuple[ScheduleRow, VariantSubject]:
    row = await schedules.get(session, schedule_id)
    try:
        subject = await variants_shapes.load(session, live, who, row.variant_id, to_run=to_run)
    except variants.NoSuchVariant:
        raise schedules.NoSuchSchedule(schedule_id) from None
    return row, subject


@router.get("/v1/experimental/schedules")
async def list_all(
    *, who: Known, session: Reading, start: str = "", end: str = "", detailed: bool = False
) -> Schedules:
    """The schedules of all content the caller may see, with their next run between ``start`` and ``end``."""
    rows = sa.select(ScheduleRow, Variant, Item).join(Variant, Variant.id == ScheduleRow.variant_id)
    rows = rows.join(Item, Item.id == Variant.item_id).where(visible_to(who)).order_by(ScheduleRow.next_run)
    first, last = _bound(start), _bound(end)
    found: list[LegacySchedule | DetailedSchedule] = []
    for row, variant, item in await session.execute(rows):
        if (first and (row.next_run is None or row.next_run < first)) or (last and (row.next_run or last) > last):
            continue
        if variant.visibility == variants.PRIVATE and variant.owner_id != who.user_id:
            continue
        shape = variants_shapes.schedule(row, variant)
        found.append(_detailed(shape, item, variant) if detailed else shape)
    return {"schedules": found}


def _detailed(shape: LegacySchedule, item: Item, variant: Variant) -> DetailedSchedule:
    return {
        **shape,
        "app_guid": item.guid,
        "app_name": item.name,
        "app_title": item.title,
        "variant_key": variant.key,
    }


def _bound(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=dt.UTC)
