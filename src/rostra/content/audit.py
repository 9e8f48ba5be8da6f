"""The audit of Python: for each version what depends on it, for each item whose it is and how much it is used.

Two queries, however many items there are; what rooms above know (processes, schedules) is handed in.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import sqlalchemy as sa
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import User
from rostra.content import usage
from rostra.content.rebuild import Recorded, Verdicts
from rostra.content.tables import Bundle, Item, Job
from rostra.environments.tables import EnvironmentRecord
from rostra.runtimes import eol
from rostra.runtimes.lifecycle import Rule, Turn, next_turn
from rostra.runtimes.model import Policy, Runtime

GONE = "gone"  # the state of a version no interpreter of this server has any more
SHORT, LONG = dt.timedelta(days=30), dt.timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which items are asked for; None and empty: any.

    ``unused_for``: not visited for at least so long. ``owner`` is a user name or an address of mail.
    """

    versions: SpecifierSet | None = None
    kind: str = ""
    owner: str = ""
    unused_for: dt.timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One item whose live bundle was built for a Python.

    ``lost``: nothing here can run it any more. ``schedule`` is in words, empty when it has none.
    """

    guid: str
    title: str
    kind: str
    owner: str
    owner_name: str
    contact: str
    requested_version: str | None
    requested_range: str | None
    version: str
    reason: str
    lost: bool
    environment: str | None
    deployed_at: dt.datetime | None
    visited_at: dt.datetime | None
    visits_30: int
    visits_90: int
    processes: int = 0
    schedule: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How many environments one version has, and how many different packages are installed in them."""

    environments: int = 0
    packages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version that is installed or in use. ``state`` is active, deprecated, retired or gone.

    ``kept`` does not follow a filter: environments are shared.
    """

    version: str
    state: str
    turn: Turn | None
    executables: tuple[str, ...]
    ends: dt.date | None
    over: bool
    items: int
    processes: int
    visits_30: int
    visits_90: int
    kept: Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Versions newest first; items by version, then the most visited first."""

    versions: tuple[VersionRow, ...]
    items: tuple[ItemRow, ...]
    made_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the audit is told of the server.

    By an item's guid: ``running`` is how many processes it has, ``scheduled`` when it is rendered, in words.
    """

    runtimes: Sequence[Runtime]
    policy: Policy
    rules: Sequence[Rule] = ()
    running: Mapping[str, int]
    scheduled: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[eol.Series, dt.date] = field(default_factory=lambda: eol.SHIPPED)


async def audit(session: AsyncSession, server: Server, wanted: Wanted, now: dt.datetime) -> Audit:
    """Return the audit of this moment. Counts of versions follow the filter, as the items do."""
    rows = (await session.execute(_query(now))).all()
    kept = await _environments(session)
    return await anyio.to_thread.run_sync(_summed, rows, kept, server, wanted, now)  # others are served meanwhile


def _summed(rows: Sequence[Any], kept: Mapping[str, Kept], server: Server, wanted: Wanted, now: dt.datetime) -> Audit:
    verdicts = Verdicts(server.policy, server.runtimes)
    items = [item for row in rows if fits(item := _item(row, server, verdicts), wanted, now)]
    by_version: dict[str, list[ItemRow]] = {}
    for row in items:
        by_version.setdefault(row.version, []).append(row)
    versions = [
        version(text, by_version.get(text, ()), server, kept.get(text, Kept()), now)
        for text in _versions(by_version, server.runtimes, kept)
        if wanted.versions is None or wanted.versions.contains(Version(text), prereleases=True)
    ]
    items.sort(key=lambda row: (*_newest_first(row.version), -row.visits_90, row.title, row.guid))
    return Audit(versions=tuple(versions), items=tuple(items), made_at=now)


def fits(row: ItemRow, wanted: Wanted, now: dt.datetime) -> bool:
    """Return whether an item is among those asked for."""
    if wanted.versions is not None and not wanted.versions.contains(Version(row.version), prereleases=True):
        return False
    if wanted.owner and wanted.owner.lower() not in (row.owner.lower(), row.contact.lower()):
        return False
    if wanted.kind and wanted.kind != row.kind:
        return False
    return wanted.unused_for is None or row.visited_at is None or row.visited_at <= now - wanted.unused_for


def version(text: str, items: Sequence[ItemRow], server: Server, kept: Kept, now: dt.datetime) -> VersionRow:
    """Return the sums of one version; ``items`` are those that run on it."""
    there = [runtime for runtime in server.runtimes if str(runtime.version) == text]
    return VersionRow(
        version=text,
        state=there[0].state.value if there else GONE,  # states are given by version
        turn=next_turn(Version(text), server.rules, now) if there else None,
        executables=tuple(str(runtime.executable) for runtime in there),
        ends=eol.end_of_life(text, server.ends),
        over=eol.over(text, now.date(), server.ends),
        items=len(items),
        processes=sum(row.processes for row in items),
        visits_30=sum(row.visits_30 for row in items),
        visits_90=sum(row.visits_90 for row in items),
        kept=kept,
    )


def _versions(used: Iterable[str], runtimes: Sequence[Runtime], environments: Iterable[str]) -> list[str]:
    return sorted({str(each.version) for each in runtimes}.union(used, environments), key=Version, reverse=True)


async def running_processes(session: AsyncSession) -> Mapping[str, int]:
    """Return how many processes of each item the records call running, by guid; true only while a server works."""
    counted = sa.select(Item.guid, sa.func.count()).select_from(Job).join(Item, Item.id == Job.item_id)
    counted = counted.where(Job.ended_at.is_(None), Job.pid.is_not(None)).group_by(Item.guid)
    rows = (await session.execute(counted)).all()
    return {guid: count for guid, count in rows}  # noqa: C416  (a row is no pair for the type checker)


def _newest_first(text: str) -> tuple[int, ...]:
    return tuple(-part for part in Version(text).release)


def _query(now: dt.datetime) -> sa.Select:  # type: ignore[type-arg]
    """Everything of all items at once; what was visited is counted in the index."""
    columns = (
        Item.guid,
        Item.title,
        Item.name,
        Item.deployed_at,
        User.username,
        User.first_name,
        User.last_name,
        User.email,
        Bundle.kind,
        Bundle.requested_version,
        Bundle.requested_range,
        Bundle.runtime_version,
        Bundle.runtime_path,
        Bundle.match_reason,
        Bundle.environment_key,
        usage.last_visit().label("visited_at"),
        usage.count_since(now - SHORT).label("visits_30"),
        usage.count_since(now - LONG).label("visits_90"),
    )
    found = sa.select(*columns).join(Bundle, Bundle.id == Item.live_bundle_id).join(User, User.id == Item.owner_id)
    return found.where(Item.deleted_at.is_(None), Bundle.runtime_version.is_not(None))


def _item(row: Any, server: Server, verdicts: Verdicts) -> ItemRow:
    recorded = Recorded(row.runtime_version, row.runtime_path, row.requested_version, row.requested_range)
    return ItemRow(
        guid=row.guid,
        title=row.title or row.name,
        kind=row.kind,
        owner=row.username,
        owner_name=f"{row.first_name} {row.last_name}".strip(),
        contact=row.email,
        requested_version=row.requested_version,
        requested_range=row.requested_range,
        version=row.runtime_version,
        reason=row.match_reason or "",
        lost=verdicts.gone(recorded) is not None,
        environment=row.environment_key,
        deployed_at=row.deployed_at,
        visited_at=row.visited_at,
        visits_30=row.visits_30,
        visits_90=row.visits_90,
        processes=server.running.get(row.guid, 0),
        schedule=server.scheduled.get(row.guid, ""),
    )


async def _environments(session: AsyncSession) -> Mapping[str, Kept]:
    """Return what there is on disk for each version. Content shares environments: there are far fewer than items."""
    names: dict[str, set[str]] = {}
    count: Counter[str] = Counter()
    for text, packages in await session.execute(
        sa.select(EnvironmentRecord.runtime_version, EnvironmentRecord.packages)
    ):
        count[text] += 1
        names.setdefault(text, set()).update(str(one["name"]) for one in packages)
    return {text: Kept(count[text], len(names[text])) for text in count}
