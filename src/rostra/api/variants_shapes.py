"""Variants, renderings and schedules: how they look on the wire, and which one a request is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from rostra.api.services import Services
from rostra.api.sight import Sight
from rostra.api.subjects import Subject
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.clock import wire_time
from rostra.content import access, permissions
from rostra.content.access import Facts
from rostra.content.tables import Item, Rendering
from rostra.rendering import schedules, variants
from rostra.rendering.calendar import Every
from rostra.rendering.calendar_words import described
from rostra.rendering.tables import ScheduleRow, Variant
from rostra.wire import Guid, Id, Time, one_of

_NS = 1_000_000  # nanoseconds in a millisecond
Visibility = Annotated[str, one_of((variants.PUBLIC, variants.PRIVATE))]
EachType = Annotated[str, one_of(Every)]


@dataclass(frozen=True, slots=True)
class VariantSubject:
    """The variant a request is about; ``session`` is the request's transaction."""

    variant: Variant
    item: Item
    facts: Facts
    who: Principal
    session: AsyncSession
    live: Services

    async def history(self) -> list[Rendering]:
        """Return the kept renderings this person may open, the newest first."""
        may_edit = access.may_edit(self.who, self.facts)
        rows = await variants.history(self.session, self.variant)
        return [row for row in rows if variants.may_open(may_edit, row)]


async def load(
    session: AsyncSession, live: Services, who: Principal, variant_id: int, *, to_run: bool = False
) -> VariantSubject:
    """Return a variant by its number; ``to_run``: to render, change or schedule it.

    Raises:
        NoSuchVariant: also when the person may not know of it.
        Forbidden
    """
    variant, item = await variants.get(session, variant_id)
    facts = await permissions.facts(session, item, who)
    return checked(VariantSubject(variant, item, facts, who, session, live), to_run=to_run)


async def of_content(subject: Subject, key: str | None, *, to_run: bool = False) -> VariantSubject:
    """Return a variant by its key, the default one without.

    Raises:
        NoSuchVariant, Forbidden
    """
    if key:
        variant = await variants.find_key(subject.session, subject.item, key)
    else:
        variant = await variants.default(subject.session, subject.item, subject.live.clock.now())
    if variant is None:
        raise variants.NoSuchVariant(key)
    found = VariantSubject(variant, subject.item, subject.facts, subject.who, subject.session, subject.live)
    return checked(found, to_run=to_run)


def checked(found: VariantSubject, *, to_run: bool) -> VariantSubject:
    runs = variants.may_run(found.who, found.facts, found.variant)
    if not runs and not variants.may_see(found.who, found.facts, found.variant):
        raise variants.NoSuchVariant(found.variant.id)
    if to_run:
        access.require(runs, found.who)
    return found


class LegacyVariant(TypedDict):
    """``rendering_id``, ``bundle_id`` and the time are of the rendering that is shown; durations are nanoseconds."""

    id: int
    app_id: int
    key: str
    bundle_id: int | None
    is_default: bool
    name: str
    email_collaborators: bool
    email_viewers: bool
    email_all: bool
    created_time: Time
    rendering_id: int | None
    render_time: Time | None
    render_duration: int | None
    visibility: Visibility
    owner_id: int


class VariantShape(TypedDict):
    """As the older one, with ids as text and the values of the document's parameters.

    ``ad_hoc``: made with values of somebody's own, and kept for a while only.
    """

    id: Id
    key: str
    bundle_id: Id | None
    is_default: bool
    name: str
    email_collaborators: bool
    email_viewers: bool
    email_all: bool
    created_time: Time
    rendering_id: Id | None
    render_time: Time | None
    render_duration: int | None
    visibility: Visibility
    owner_id: Id
    parameters: dict[str, Any]
    ad_hoc: bool


class LegacyRendering(TypedDict):
    id: int
    app_id: int
    variant_id: int
    bundle_id: int
    job_key: str | None
    render_time: Time
    render_duration: int
    active: bool


class RenderingShape(TypedDict):
    """``path`` is where this rendering stays readable as long as it is kept."""

    id: Id
    variant_id: Id
    bundle_id: Id
    job_key: str | None
    render_time: Time
    render_duration: int
    active: bool
    path: str


class LegacySchedule(TypedDict):
    """``schedule`` is JSON in a text; ``next_run`` is null while it is paused and when there is none."""

    id: int
    app_id: int
    variant_id: int
    activate: bool
    email: bool
    type: EachType
    schedule: str
    start_time: Time
    timezone: str
    next_run: Time | None
    paused: bool


class Plan(TypedDict):
    """A schedule with its ids as text."""

    id: Id
    variant_id: Id
    activate: bool
    email: bool
    type: EachType
    schedule: str
    start_time: Time
    timezone: str
    next_run: Time | None
    paused: bool


class PlanInWords(Plan):
    variant_key: str
    words: str


class Reader(TypedDict):
    guid: Guid
    username: str
    first_name: str
    last_name: str
    email: str


async def variant(session: AsyncSession, row: Variant) -> LegacyVariant:
    """Return a variant as older clients know it: numbers are integers, durations nanoseconds."""
    shown = await variants.latest(session, row.item_id, row)
    return {
        "id": row.id,
        "app_id": row.item_id,
        "key": row.key,
        "bundle_id": shown.bundle_id if shown else None,
        "is_default": row.is_default,
        "name": row.name,
        "email_collaborators": row.email_collaborators,
        "email_viewers": row.email_viewers,
        "email_all": row.email_all,
        "created_time": wire_time(row.created_at),
        "rendering_id": shown.id if shown else None,
        "render_time": wire_time(shown.rendered_at) if shown else None,
        "render_duration": shown.duration_ms * _NS if shown else None,
        "visibility": row.visibility,
        "owner_id": row.owner_id,
    }


def rendering(row: Rendering, of: Variant) -> LegacyRendering:
    return {
        "id": row.id,
        "app_id": row.item_id,
        "variant_id": of.id,
        "bundle_id": row.bundle_id,
        "job_key": row.job_key,
        "render_time": wire_time(row.rendered_at),
        "render_duration": row.duration_ms * _NS,
        "active": row.active,
    }


def schedule(row: ScheduleRow, of: Variant) -> LegacySchedule:
    return {
        "id": row.id,
        "app_id": of.item_id,
        "variant_id": of.id,
        "activate": row.activate,
        "email": row.email,
        "type": row.every,
        "schedule": row.payload,
        "start_time": wire_time(row.start_at),
        "timezone": row.zone,
        "next_run": wire_time(row.next_run) if row.next_run else None,
        "paused": row.paused,
    }


def own_variant(shape: LegacyVariant, parameters: dict[str, Any], ad_hoc: bool) -> VariantShape:
    """Return a variant as the routes below ``/v1`` have it: ids are text, ``app_id`` is left out."""
    return {
        "id": str(shape["id"]),
        "key": shape["key"],
        "bundle_id": _text(shape["bundle_id"]),
        "is_default": shape["is_default"],
        "name": shape["name"],
        "email_collaborators": shape["email_collaborators"],
        "email_viewers": shape["email_viewers"],
        "email_all": shape["email_all"],
        "created_time": shape["created_time"],
        "rendering_id": _text(shape["rendering_id"]),
        "render_time": shape["render_time"],
        "render_duration": shape["render_duration"],
        "visibility": shape["visibility"],
        "owner_id": str(shape["owner_id"]),
        "parameters": parameters,
        "ad_hoc": ad_hoc,
    }


def own_rendering(shape: LegacyRendering, path: str) -> RenderingShape:
    return {
        "id": str(shape["id"]),
        "variant_id": str(shape["variant_id"]),
        "bundle_id": str(shape["bundle_id"]),
        "job_key": shape["job_key"],
        "render_time": shape["render_time"],
        "render_duration": shape["render_duration"],
        "active": shape["active"],
        "path": path,
    }


def plan(row: ScheduleRow, of: Variant) -> Plan:
    return {
        "id": str(row.id),
        "variant_id": str(of.id),
        "activate": row.activate,
        "email": row.email,
        "type": row.every,
        "schedule": row.payload,
        "start_time": wire_time(row.start_at),
        "timezone": row.zone,
        "next_run": wire_time(row.next_run) if row.next_run else None,
        "paused": row.paused,
    }


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def words(row: ScheduleRow) -> str:
    return described(schedules.calendar_of(row))


def people(users: Iterable[User], sight: Sight) -> list[Reader]:
    """Return those of the people whom this person may know of."""
    return [
        {
            "guid": user.guid,
            "username": user.username,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": sight.email(user),
        }
        for user in users
        if sight.knows(user.id)
    ]
