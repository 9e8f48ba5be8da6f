"""Variants, renderings and schedules: how they look on the wire, and which one a request is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.services import Services
from rostra.api.subjects import Subject
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.clock import wire_time
from rostra.content import access, permissions
from rostra.content.access import Facts
from rostra.content.tables import Item, Rendering
from rostra.rendering import schedules, variants
from rostra.rendering.calendar_words import described
from rostra.rendering.tables import ScheduleRow, Variant

_NS = 1_000_000  # nanoseconds in a millisecond


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


async def variant(session: AsyncSession, row: Variant) -> dict[str, Any]:
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


def rendering(row: Rendering, of: Variant) -> dict[str, Any]:
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


def schedule(row: ScheduleRow, of: Variant) -> dict[str, Any]:
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


def strings(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a shape as the routes below ``/v1`` have it: ids are text, ``app_id`` is left out."""
    found = {name: value for name, value in shape.items() if name != "app_id"}
    for name in ("id", "variant_id", "bundle_id", "rendering_id", "owner_id"):
        if found.get(name) is not None:
            found[name] = str(found[name])
    return found


def words(row: ScheduleRow) -> str:
    return described(schedules.calendar_of(row))


def person(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in ("guid", "username", "first_name", "last_name", "email")}
