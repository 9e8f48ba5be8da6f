"""How much the server is used: by how many people, and which of its features."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from rostra.api.answers import Router
from rostra.api.edge import Live, Reading, UsageReader
from rostra.auth.principals import Role
from rostra.auth.tables import ApiKey, Group, User
from rostra.content.tables import Bundle, Integration, Item, Tag
from rostra.rendering.tables import ScheduleRow

router = Router()

SPANS = {"1_day": 1, "7_days": 7, "30_days": 30, "365_days": 365}


@router.get("/v1/metrics/users/active")
async def active_users(who: UsageReader, live: Live, session: Reading) -> dict[str, Any]:  # noqa: ARG001
    """How many people were there in the last day, week, month and year, by role."""
    now, found = live.clock.now(), {}
    for name, days in SPANS.items():
        seen = User.active_at > now - dt.timedelta(days=days)
        rows = await session.execute(sa.select(User.role, sa.func.count()).where(seen).group_by(User.role))
        counts = dict(rows.all())
        found[name] = {**{role.value: counts.get(role.value, 0) for role in Role}, "total": sum(counts.values())}
    return {"time": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "active": found}


@router.get("/v1/feature-usage")
async def feature_usage(who: UsageReader, session: Reading) -> dict[str, Any]:  # noqa: ARG001
    """What this server is used for, in numbers that stay here: nothing is sent anywhere."""
    there = Item.deleted_at.is_(None)
    kinds = await session.execute(sa.select(Item.kind, sa.func.count()).where(there).group_by(Item.kind))
    counted: dict[str, sa.Select[int]] = {
        "content": _count(Item).where(there),
        "content_with_vanity_url": _count(Item).where(there, Item.vanity_path.is_not(None)),
        "bundles": _count(Bundle),
        "users": _count(User),
        "groups": _count(Group),
        "api_keys": _count(ApiKey).where(ApiKey.process_key.is_(None)),
        "tags": _count(Tag),
        "schedules": _count(ScheduleRow),
        "oauth_integrations": _count(Integration),
    }
    numbers = {name: (await session.execute(wanted)).scalar_one() for name, wanted in counted.items()}
    return {**numbers, "content_by_app_mode": dict(sorted(kinds.all()))}


def _count(table: Any) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table)
