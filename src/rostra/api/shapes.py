"""How items, bundles and jobs look on the wire: exactly these keys, in this order, the same wherever they appear."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api import variants_shapes
from rostra.api.addresses import Addresses
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.clock import wire_time
from rostra.content import bookmarks, items, tags
from rostra.content.access import Access, Facts, Grant, app_role, given_to, may_edit, strongest
from rostra.content.tables import Bundle, Item, Job, Permission, Tag
from rostra.db.base import MOST_VALUES
from rostra.rendering.tables import ScheduleRow, Variant

Shown = Item | sa.Row[Any]
"""An item, or a row with the same columns: a list of thousands of objects costs several times what its rows do."""

# What an item's shape says of its live bundle and its owner: manifests are large, and lists are long.
_OF_BUNDLES = (Bundle.runtime_version, Bundle.r_version, Bundle.quarto_version, Bundle.managed)
_OF_OWNERS = (User.guid, User.username, User.first_name, User.last_name)
_AT_ONCE = 500  # items that are made into text before others get their turn
LOCAL = "Local"  # where things run, in the wire's words
# What an item may have switched on or off for itself; null is the server's default.
SWITCHES = ("draft_marker_enabled", "metrics_collection_enabled", "notify_on_share", "otel_enabled")


class Live(NamedTuple):
    """What a bundle runs on: `_OF_BUNDLES`."""

    runtime_version: str | None
    r_version: str | None
    quarto_version: str | None
    managed: bool | None


class Person(NamedTuple):
    """How others see somebody: `_OF_OWNERS`."""

    guid: str
    username: str
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Around:
    """What an item's shape needs beside its row."""

    live: Live | None
    owner: Person
    grant: Grant | None
    tags: Sequence[Tag] = ()
    bookmarked: bool = False
    schedule: tuple[ScheduleRow, Variant] | None = None


async def contents(
    session: AsyncSession, who: Principal, some: Sequence[Item], links: Addresses, include: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return the items' shapes, in their order, with a few look-ups however many there are."""
    ids = [item.id for item in some]
    live_ids = {item.live_bundle_id for item in some if item.live_bundle_id is not None}
    bundles = {row.id: Live._make(row[1:]) for row in await _rows(session, (Bundle.id, *_OF_BUNDLES), live_ids)}
    owners = await _people(session, {item.owner_id for item in some})
    beside = await _beside(session, who, Item.id.in_(ids), include)
    return [
        content(
            item,
            beside.of(item.id, bundles.get(item.live_bundle_id or 0), owners[item.owner_id]),
            who,
            links,
            include,
        )
        for item in some
    ]


async def listing(
    session: AsyncSession,
    who: Principal,
    links: Addresses,
    include: Collection[str] = (),
    *,
    name: str | None = None,
    owner_guid: str | None = None,
) -> bytes:
    """Return the JSON of all items of `items.listed`: what `contents` would give, for tens of thousands of them.

    Only a few at a time are held as objects: keeping all would cost more than linearly, for the garbage collector
    goes through whatever is kept, again and again.
    """
    there = Bundle.id.label("live_id")  # a live bundle that is not there has no runtime
    wanted = sa.select(*Item.__table__.columns, *_OF_BUNDLES, *_OF_OWNERS, there)
    wanted = wanted.join(User, User.id == Item.owner_id).outerjoin(Bundle, Bundle.id == Item.live_bundle_id)
    chosen = items.listed(sa.select(Item.id), who, name=name, owner_guid=owner_guid).order_by(None)
    beside = await _beside(session, who, Item.id.in_(chosen), include)
    own = len(Item.__table__.columns)
    live, owner = slice(own, own + len(_OF_BUNDLES)), slice(own + len(_OF_BUNDLES), -1)

    def around(row: sa.Row[Any]) -> Around:
        runs_on = None if row.live_id is None else Live._make(row[live])
        return beside.of(row.id, runs_on, Person._make(row[owner]))

    parts: list[bytes] = []
    rows = await session.stream(items.listed(wanted, who, name=name, owner_guid=owner_guid))
    async for some in rows.partitions(_AT_ONCE):
        shown = [content(row, around(row), who, links, include) for row in some]
        parts.append(to_json(shown)[1:-1])
    return b"[" + b",".join(parts) + b"]"


async def one_content(
    session: AsyncSession, who: Principal, item: Item, links: Addresses, include: Collection[str] = ()
) -> dict[str, Any]:
    return (await contents(session, who, [item], links, include))[0]


@dataclass(frozen=True, slots=True)
class _Beside:
    """What belongs to the items of a list, by item."""

    grants: Mapping[int, Grant]
    tagged: Mapping[int, Sequence[Tag]]
    marked: Collection[int]
    planned: Mapping[int, tuple[ScheduleRow, Variant]]

    def of(self, item_id: int, live: Live | None, owner: Person) -> Around:
        return Around(
            live,
            owner,
            self.grants.get(item_id),
            self.tagged.get(item_id, ()),
            item_id in self.marked,
            self.planned.get(item_id),
        )


async def _beside(
    session: AsyncSession, who: Principal, chosen: sa.ColumnElement[bool], include: Collection[str]
) -> _Beside:
    """Look up what was asked for of the items the filter ``chosen`` lets through."""
    return _Beside(
        await _grants(session, who),
        await tags.of_items(session, chosen) if "tags" in include else {},
        await bookmarks.of_user(session, who.user_id) if "bookmarked" in include else frozenset(),
        await _schedules(session, chosen) if "schedule" in include else {},
    )


async def _grants(session: AsyncSession, who: Principal) -> dict[int, Grant]:
    """Return what the person was given, themselves or with a group, by item."""
    mine = sa.select(Permission.item_id, Permission.role).where(given_to(who.user_id))
    found: dict[int, Grant] = {}
    for item_id, role in await session.execute(mine):
        found[item_id] = strongest([role, *([found[item_id]] if item_id in found else [])]) or Grant.viewer
    return found


async def _schedules(session: AsyncSession, chosen: sa.ColumnElement[bool]) -> dict[int, tuple[ScheduleRow, Variant]]:
    """Return the schedules of the items' default variants."""
    wanted = sa.select(ScheduleRow, Variant).join(Variant, Variant.id == ScheduleRow.variant_id)
    wanted = wanted.where(Variant.is_default, Variant.item_id.in_(sa.select(Item.id).where(chosen)))
    return {variant.item_id: (row, variant) for row, variant in await session.execute(wanted)}


async def _people(session: AsyncSession, ids: Collection[int]) -> dict[int, Person]:
    return {row[0]: Person._make(row[1:]) for row in await _rows(session, (User.id, *_OF_OWNERS), ids)}


async def _rows(session: AsyncSession, columns: Sequence[Any], ids: Collection[int]) -> Sequence[sa.Row[Any]]:
    """Return these columns of the rows with these numbers; the first column is the number."""
    found: list[sa.Row[Any]] = []
    wanted = sorted(ids)
    for start in range(0, len(wanted), MOST_VALUES):
        chunk = sa.select(*columns).where(columns[0].in_(wanted[start : start + MOST_VALUES]))
        found += await session.execute(chunk)
    return found


def content(
    item: Shown, around: Around, who: Principal, links: Addresses, include: Collection[str] = ()
) -> dict[str, Any]:
    facts = Facts(Access(item.access_type), item.owner_id, around.grant)
    return {
        "guid": item.guid,
        "id": str(item.id),
        "name": item.name,
        "title": item.title,
        "description": item.description,
        "access_type": item.access_type,
        "locked": item.locked,
        "locked_message": item.locked_message,
        "extension": bool(item.settings.get("extension")),
        **_limits(item),
        "created_time": wire_time(item.created_at),
        "last_deployed_time": wire_time(item.deployed_at or item.created_at),
        "bundle_id": None if item.live_bundle_id is None else str(item.live_bundle_id),
        "app_mode": item.kind,
        "content_category": item.content_category,
        "parameterized": False,
        "environment_guid": None,
        **_runtime(around.live if may_edit(who, facts) else None),
        "default_r_environment_management": item.settings.get("default_r_environment_management"),
        "default_py_environment_management": item.manage_python,
        "run_as": item.run_as,
        "run_as_current_user": bool(item.settings.get("run_as_current_user")),
        "owner_guid": around.owner.guid,
        "content_url": links.content(item.guid),
        "dashboard_url": links.dashboard(item.guid),
        "app_role": app_role(who, facts).value,
        **{name: item.settings.get(name) for name in SWITCHES},
        "public_content_status": "",
        **_included(item, around, include),
    }


_OWN_LIMITS = (
    *("connection_timeout", "read_timeout", "init_timeout", "idle_timeout"),
    *("max_processes", "min_processes", "max_conns_per_process", "load_factor"),
    *("memory_request", "memory_limit", "cpu_request", "cpu_limit"),
)
_KEPT_LIMITS = (
    *("amd_gpu_limit", "nvidia_gpu_limit"),
    *("service_account_name", "default_image_name", "default_environment_guid"),
)
_own_limits = attrgetter(*_OWN_LIMITS)


def _limits(item: Shown) -> dict[str, Any]:
    own = dict(zip(_OWN_LIMITS, _own_limits(item), strict=True))
    return own | {name: item.settings.get(name) for name in _KEPT_LIMITS}


def _runtime(bundle: Bundle | Live | None) -> dict[str, Any]:
    """Return where and on what a bundle runs; of an item's, viewers are told nothing."""
    place = None if bundle is None else LOCAL
    return {
        "cluster_name": place,
        "image_name": place,
        "r_version": bundle.r_version if bundle else None,
        "py_version": bundle.runtime_version if bundle else None,
        "quarto_version": bundle.quarto_version if bundle else None,
        "node_version": None,
        "r_environment_management": False if bundle and bundle.r_version else None,
        "py_environment_management": bundle.managed if bundle else None,
    }


def _included(item: Shown, around: Around, include: Collection[str]) -> dict[str, Any]:
    """Return what was asked for; tags and a vanity path that are not there are left out, as clients expect it."""
    found: dict[str, Any] = {}
    if "owner" in include:
        found["owner"] = _named(around.owner)
    if around.tags:
        found["tags"] = [tag(one) for one in around.tags]
    if "vanity_url" in include and item.vanity_path:
        found["vanity_url"] = item.vanity_path
    if "bookmarked" in include:
        found["bookmarked"] = around.bookmarked
    if around.schedule is not None:
        found["schedule"] = variants_shapes.strings(variants_shapes.schedule(*around.schedule))
    return found


def _named(user: Person) -> dict[str, Any]:
    return user._asdict()


def tag(row: Tag) -> dict[str, Any]:
    """Return a tag as clients know one; exactly these keys."""
    return {
        "id": str(row.id),
        "name": row.name,
        "parent_id": None if row.parent_id is None else str(row.parent_id),
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
    }


def bundle(row: Bundle, item: Item, creators: Mapping[int, Person]) -> dict[str, Any]:
    creator = creators.get(row.created_by_id or 0)
    runtime = _runtime(row)
    return {
        "id": str(row.id),
        "content_guid": item.guid,
        "created_time": wire_time(row.created_at),
        "created_by": creator.guid if creator else None,
        "created_by_name": creator.username if creator else None,
        "created_by_user": None if creator is None else _named(creator),
        "cluster_name": LOCAL,
        "image_name": LOCAL,
        "environment_guid": None,
        "r_version": runtime["r_version"],
        "r_environment_management": runtime["r_environment_management"],
        "py_version": runtime["py_version"],
        "py_environment_management": runtime["py_environment_management"],
        "quarto_version": runtime["quarto_version"],
        "node_version": None,
        "active": row.id == item.live_bundle_id,
        "size": row.size,
        "metadata": _source(row),
    }


def _source(row: Bundle) -> dict[str, Any]:
    usual = dict.fromkeys(("source", "source_repo", "source_branch", "source_commit"))
    return {**usual, **row.metadata_, "archive_md5": row.md5, "archive_sha1": row.sha1}


async def bundles(session: AsyncSession, rows: Sequence[Bundle], item: Item) -> list[dict[str, Any]]:
    """Return the shapes of an item's bundles, in their order."""
    ids = {row.created_by_id for row in rows if row.created_by_id is not None}
    creators = await _people(session, ids)
    return [bundle(row, item, creators) for row in rows]


def job(row: Job, item: Item, hostname: str) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "ppid": None,
        "pid": None if row.pid is None else str(row.pid),
        "key": row.key,
        "remote_id": None,
        "app_id": str(item.id),
        "content_id": str(item.id),
        "content_guid": item.guid,
        "variant_id": str(row.variant_id or 0),
        "bundle_id": None if row.bundle_id is None else str(row.bundle_id),
        "start_time": _time(row.started_at or row.queued_at),
        "end_time": _time(row.ended_at),
        "last_heartbeat_time": _time(row.ended_at or row.started_at or row.queued_at),
        "queued_time": wire_time(row.queued_at),
        "queue_name": "default",
        "tag": row.tag,
        "exit_code": row.exit_code,
        "error": row.error,
        "status": _status(row),
        **({} if row.skip_reason is None else {"skip_reason": row.skip_reason}),
        "hostname": hostname,
        "cluster": LOCAL,
        "image": LOCAL,
        "run_as": item.run_as or "",
    }


def _status(row: Job) -> int:
    """Active, ended, or never started."""
    if row.skip_reason is not None:
        return 3
    return 0 if row.ended_at is None else 2


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)
