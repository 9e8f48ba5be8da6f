"""How an item and its tags look on the wire: exactly these keys, in this order, the same wherever they appear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, NotRequired

import sqlalchemy as sa
from typing_extensions import TypedDict

from rostra.api import variants_shapes
from rostra.api.addresses import Addresses
from rostra.auth.principals import Principal
from rostra.clock import wire_time
from rostra.content import items
from rostra.content.access import Access, AppRole, Facts, Grant, app_role, may_edit
from rostra.content.tables import Bundle, Item, Tag
from rostra.kinds.registry import ALL
from rostra.rendering.tables import ScheduleRow, Variant
from rostra.wire import Guid, Id, Time, Url, one_of

Shown = Item | sa.Row[Any]
"""An item, or a row with the same columns: a list of thousands of objects costs several times what its rows do."""

LOCAL = "Local"  # where things run, in the wire's words
APP_MODES = tuple(dict.fromkeys((*ALL, items.UNKNOWN)))


class TagShape(TypedDict):
    """``parent_id`` is null for a category."""

    id: Id
    name: str
    parent_id: Id | None
    created_time: Time
    updated_time: Time


class Owner(TypedDict):
    guid: Guid
    username: str
    first_name: str
    last_name: str


class _Limits(TypedDict):
    """Null is the server's default."""

    connection_timeout: int | None
    read_timeout: int | None
    init_timeout: int | None
    idle_timeout: int | None
    max_processes: int | None
    min_processes: int | None
    max_conns_per_process: int | None
    load_factor: float | None
    memory_request: int | None
    memory_limit: int | None
    cpu_request: float | None
    cpu_limit: float | None
    amd_gpu_limit: int | None
    nvidia_gpu_limit: int | None
    service_account_name: str | None
    default_image_name: str | None
    default_environment_guid: str | None


class Place(TypedDict):
    """Where and on what a bundle runs; of an item's, viewers are told nothing."""

    cluster_name: str | None
    image_name: str | None
    r_version: str | None
    py_version: str | None
    quarto_version: str | None
    node_version: str | None
    r_environment_management: bool | None
    py_environment_management: bool | None


class Content(_Limits, Place):
    """The last five only with ``include``; tags and a vanity path that are not there are left out then too."""

    guid: Guid
    id: Id
    name: str
    title: str | None
    description: str
    access_type: Annotated[str, one_of(Access)]
    locked: bool
    locked_message: str
    extension: bool
    created_time: Time
    last_deployed_time: Time
    bundle_id: Id | None
    app_mode: Annotated[str, one_of(APP_MODES)]
    content_category: str
    parameterized: bool
    environment_guid: Guid | None
    default_r_environment_management: bool | None
    default_py_environment_management: bool | None
    run_as: str | None
    run_as_current_user: bool
    owner_guid: Guid
    content_url: Url
    dashboard_url: Url
    app_role: Annotated[str, one_of(AppRole)]
    draft_marker_enabled: bool | None
    metrics_collection_enabled: bool | None
    notify_on_share: bool | None
    otel_enabled: bool | None
    public_content_status: str
    owner: NotRequired[Owner]
    tags: NotRequired[list[TagShape]]
    vanity_url: NotRequired[str]
    bookmarked: NotRequired[bool]
    schedule: NotRequired[variants_shapes.Plan]


class Live(NamedTuple):
    """What a bundle runs on: `shapes.OF_BUNDLES`."""

    runtime_version: str | None
    r_version: str | None
    quarto_version: str | None
    managed: bool | None


class Person(NamedTuple):
    """How others see somebody: `shapes.OF_OWNERS`."""

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


def content(item: Shown, around: Around, who: Principal, links: Addresses, include: Collection[str] = ()) -> Content:
    facts, kept = Facts(Access(item.access_type), item.owner_id, around.grant), item.settings
    place = _NOWHERE if around.live is None or not may_edit(who, facts) else place_of(around.live)
    found: Content = {
        "guid": item.guid,
        "id": str(item.id),
        "name": item.name,
        "title": item.title,
        "description": item.description,
        "access_type": item.access_type,
        "locked": item.locked,
        "locked_message": item.locked_message,
        "extension": bool(kept.get("extension")),
        "connection_timeout": item.connection_timeout,
        "read_timeout": item.read_timeout,
        "init_timeout": item.init_timeout,
        "idle_timeout": item.idle_timeout,
        "max_processes": item.max_processes,
        "min_processes": item.min_processes,
        "max_conns_per_process": item.max_conns_per_process,
        "load_factor": item.load_factor,
        "memory_request": item.memory_request,
        "memory_limit": item.memory_limit,
        "cpu_request": item.cpu_request,
        "cpu_limit": item.cpu_limit,
        "amd_gpu_limit": kept.get("amd_gpu_limit"),
        "nvidia_gpu_limit": kept.get("nvidia_gpu_limit"),
        "service_account_name": kept.get("service_account_name"),
        "default_image_name": kept.get("default_image_name"),
        "default_environment_guid": kept.get("default_environment_guid"),
        "created_time": wire_time(item.created_at),
        "last_deployed_time": wire_time(item.deployed_at or item.created_at),
        "bundle_id": None if item.live_bundle_id is None else str(item.live_bundle_id),
        "app_mode": item.kind,
        "content_category": item.content_category,
        "parameterized": bool(kept.get("parameterized")),
        "environment_guid": None,
        "cluster_name": place["cluster_name"],
        "image_name": place["image_name"],
        "r_version": place["r_version"],
        "py_version": place["py_version"],
        "quarto_version": place["quarto_version"],
        "node_version": place["node_version"],
        "r_environment_management": place["r_environment_management"],
        "py_environment_management": place["py_environment_management"],
        "default_r_environment_management": kept.get("default_r_environment_management"),
        "default_py_environment_management": item.manage_python,
        "run_as": item.run_as,
        "run_as_current_user": bool(kept.get("run_as_current_user")),
        "owner_guid": around.owner.guid,
        "content_url": links.content(item.guid),
        "dashboard_url": links.dashboard(item.guid),
        "app_role": app_role(who, facts).value,
        "draft_marker_enabled": kept.get("draft_marker_enabled"),
        "metrics_collection_enabled": kept.get("metrics_collection_enabled"),
        "notify_on_share": kept.get("notify_on_share"),
        "otel_enabled": kept.get("otel_enabled"),
        "public_content_status": "",
    }
    _include(found, item, around, include)
    return found


_NOWHERE: Place = {
    "cluster_name": None,
    "image_name": None,
    "r_version": None,
    "py_version": None,
    "quarto_version": None,
    "node_version": None,
    "r_environment_management": None,
    "py_environment_management": None,
}


def place_of(bundle: Bundle | Live) -> Place:
    return {
        "cluster_name": LOCAL,
        "image_name": LOCAL,
        "r_version": bundle.r_version,
        "py_version": bundle.runtime_version,
        "quarto_version": bundle.quarto_version,
        "node_version": None,
        "r_environment_management": False if bundle.r_version else None,
        "py_environment_management": bundle.managed,
    }


def _include(found: Content, item: Shown, around: Around, include: Collection[str]) -> None:
    """Add what was asked for; tags and a vanity path that are not there are left out, as clients expect it."""
    if "owner" in include:
        found["owner"] = named(around.owner)
    if around.tags:
        found["tags"] = [tag(one) for one in around.tags]
    if "vanity_url" in include and item.vanity_path:
        found["vanity_url"] = item.vanity_path
    if "bookmarked" in include:
        found["bookmarked"] = around.bookmarked
    if around.schedule is not None:
        found["schedule"] = variants_shapes.plan(*around.schedule)


def named(user: Person) -> Owner:
    return {
        "guid": user.guid,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
    }


def tag(row: Tag) -> TagShape:
    """Return a tag as clients know one; exactly these keys."""
    return {
        "id": str(row.id),
        "name": row.name,
        "parent_id": None if row.parent_id is None else str(row.parent_id),
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
    }
