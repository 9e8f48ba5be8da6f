"""Environments as an administrator sees them: what is on disk joined with what needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from rostra.content import audit_report
from rostra.content.tables import Bundle, Item, Job
from rostra.environments import inventory_rows
from rostra.environments.cleanup import Known, Standing, State, UsedBy
from rostra.environments.inventory import Sort, weigh
from rostra.runtimes.model import Runtime, RuntimeState
from rostra.wire import Guid, Time, one_of


async def needed(session: AsyncSession) -> dict[str, list[UsedBy]]:
    """Return which items have a bundle built with each environment, by its key; live ones first, each item once."""
    live = (Item.live_bundle_id == Bundle.id).label("live")
    wanted = sa.select(Bundle.environment_key, Item.guid, Item.title, Item.name, live).join(
        Item, Item.id == Bundle.item_id
    )
    wanted = wanted.where(Bundle.environment_key.is_not(None), Item.deleted_at.is_(None))
    found: dict[str, dict[str, UsedBy]] = {}
    for key, guid, title, name, is_live in await session.execute(wanted.order_by(Item.id, Bundle.id)):
        items = found.setdefault(key or "", {})
        before = items.get(guid)
        items[guid] = UsedBy(guid, title or name, bool(is_live) or (before is not None and before.live))
    return {key: sorted(items.values(), key=lambda item: not item.live) for key, items in found.items()}


async def known(session: AsyncSession, runtimes: Sequence[Runtime], running: Mapping[str, int]) -> Known:
    """Return what decides about every environment.

    Args:
        running: how many processes run in each, by key.
    """
    return Known(
        interpreters={each.identity for each in runtimes if each.state is not RuntimeState.retired},
        retired={each.identity for each in runtimes if each.state is RuntimeState.retired},
        items=await needed(session),
        used_at=await inventory_rows.last_uses(session),
        running=running,
    )


async def running(session: AsyncSession) -> dict[str, int]:
    """Return how many processes the records call running in each environment, by its key."""
    counted = sa.select(Bundle.environment_key, sa.func.count()).join(Job, Job.bundle_id == Bundle.id)
    counted = counted.where(Job.ended_at.is_(None), Job.pid.is_not(None), Bundle.environment_key.is_not(None))
    rows = await session.execute(counted.group_by(Bundle.environment_key))
    return {key or "": count for key, count in rows}


def weighed(rows: Sequence[Standing]) -> list[Standing]:
    """Return the rows with how heavy each is. Looks at every file: call it in a thread."""
    return [replace(row, weight=weigh(row.found.path)) for row in rows]


class UserOfEnvironment(TypedDict):
    """``live``: visitors get the version that needs it."""

    guid: Guid
    title: str
    live: bool


class AuditedEnvironment(TypedDict):
    """Sizes are null when they were not counted; what several share is in none's own."""

    sort: Annotated[str, one_of(Sort)]
    python: str
    key: str
    state: Annotated[str, one_of(State)]
    own_bytes: int | None
    shared_bytes: int | None
    packages: int
    installer: str
    interpreter: str
    created_at: Time
    used_at: Time | None
    processes: int
    items: list[UserOfEnvironment]
    path: str


def to_json(row: Standing, data_dir: Path) -> AuditedEnvironment:
    """Return one environment as a flat object; sizes are bytes, times RFC 3339."""
    found, weight = row.found, row.weight
    return {
        "sort": found.sort.value,
        "python": found.python,
        "key": found.key,
        "state": row.state.value,
        "own_bytes": weight.own if weight else None,
        "shared_bytes": weight.shared if weight else None,
        "packages": found.packages,
        "installer": found.installer,
        "interpreter": str(found.executable),
        "created_at": found.created_at.isoformat(),
        "used_at": row.used_at.isoformat() if row.used_at else None,
        "processes": row.running,
        "items": [{"guid": item.guid, "title": item.title, "live": item.live} for item in row.items],
        "path": str(found.path.relative_to(data_dir)),
    }


def to_csv(told: Sequence[Mapping[str, Any]]) -> str:
    """Return what `to_json` made as CSV, with the guids of the items."""
    rows = [{**row, "items": [item["guid"] for item in row["items"]]} for row in told]
    return audit_report.to_csv(rows, tuple(AuditedEnvironment.__annotations__))
