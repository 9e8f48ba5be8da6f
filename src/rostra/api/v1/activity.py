"""How much the server is used: by how many people, and which of its features."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from typing_extensions import TypedDict

from rostra.api.answers import Router
from rostra.api.edge import Live, Reading, UsageReader
from rostra.auth.principals import Role
from rostra.auth.tables import ApiKey, Group, User
from rostra.clock import wire_time
from rostra.content.tables import Bundle, Integration, Item, Tag
from rostra.rendering.tables import ScheduleRow
from rostra.wire import Time

router = Router()


class ByRole(TypedDict):
    viewer: int
    publisher: int
    administrator: int
    total: int


Spans = TypedDict("Spans", {"1_day": ByRole, "7_days": ByRole, "30_days": ByRole, "365_days": ByRole})


class ActiveUsers(TypedDict):
    time: Time
    active: Spans


class FeatureUsage(TypedDict):
    content: int
    content_with_vanity_url: int
    bundles: int
    users: int
    groups: int
    api_keys: int
    tags: int
    schedules: int
    oauth_integrations: int
    content_by_app_mode: dict[str, int]


@router.get("/v1/metrics/users/active")
async def active_users(who: UsageReader, live: Live, session: Reading) -> ActiveUsers:  # noqa: ARG001
    """How many people were there in the last day, week, month and year, by role."""
    now = live.clock.now()

    async def seen(days: int) -> ByRole:
        there = User.active_at > now - dt.timedelta(days=days)
        rows = await session.execute(sa.select(User.role, sa.func.count()).where(there).group_by(User.role))
        counts = dict(rows.all())
        return {
            "viewer": counts.get(Role.viewer, 0),
            "publisher": counts.get(Role.publisher, 0),
            "administrator": counts.get(Role.administrator, 0),
            "total": sum(counts.values()),
        }

    spans: Spans = {
        "1_day": await seen(1),
        "7_days": await seen(7),
        "30_days": await seen(30),
        "365_days": await seen(365),
    }
    return {"time": wire_time(now), "active": spans}


@router.get("/v1/feature-usage")
async def feature_usage(who: UsageReader, session: Reading) -> FeatureUsage:  # noqa: ARG001
    """What this server is used for, in numbers that stay here: nothing is sent anywhere."""
    there = Item.deleted_at.is_(None)
    kinds = await session.execute(sa.select(Item.kind, sa.func.count()).where(there).group_by(Item.kind))

    async def counted(wanted: sa.Select[int]) -> int:
        return (await session.execute(wanted)).scalar_one()

    return {
        "content": await counted(_count(Item).where(there)),
        "content_with_vanity_url": await counted(_count(Item).where(there, Item.vanity_path.is_not(None))),
        "bundles": await counted(_count(Bundle)),
        "users": await counted(_count(User)),
        "groups": await counted(_count(Group)),
        "api_keys": await counted(_count(ApiKey).where(ApiKey.process_key.is_(None))),
        "tags": await counted(_count(Tag)),
        "schedules": await counted(_count(ScheduleRow)),
        "oauth_integrations": await counted(_count(Integration)),
        "content_by_app_mode": dict(sorted(kinds.all())),
    }


def _count(table: Any) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table)
