"""The unversioned routes older publishing clients use. Items are known by number or guid; numbers are integers here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.addresses import Addresses, Links
from rostra.api.answers import Router, takes
from rostra.api.bundle_shapes import BundleBase
from rostra.api.edge import Known, Live, Publisher, Reading, Writing
from rostra.api.services import Services
from rostra.api.subjects import Edited, Viewed
from rostra.api.v1 import bundles, deploys
from rostra.auth.principals import Principal, Role
from rostra.content import items, limits
from rostra.content.access import Access
from rostra.content.tables import Item
from rostra.kinds.registry import by_name
from rostra.wire import Guid, Url, one_of

router = Router()

LARGEST_PAGE = 500


class ItemBody(BaseModel):
    """Older clients send more; only these two are used."""

    name: str | None = None
    title: str | None = None


class OldDeployBody(BaseModel):
    bundle: int | str | None = None


NewItem = Annotated[ItemBody, edge.parsed(ItemBody)]


class Application(TypedDict):
    """``app_mode`` is a number here, as older clients know the kinds."""

    id: int
    guid: Guid
    name: str
    title: str | None
    url: Url
    description: str
    access_type: Annotated[str, one_of(Access)]
    app_mode: int
    bundle_id: int | None
    needs_config: bool
    content_category: str


class Applications(TypedDict):
    """``continuation`` is null on the last page."""

    total: int
    count: int
    continuation: str | None
    applications: list[Application]


class CurrentUser(TypedDict):
    id: int
    guid: Guid
    username: str
    user_role: Annotated[str, one_of(Role)]


class LegacyBundle(BundleBase):
    id: int


class ApplicationPages(TypedDict):
    config_url: Url
    logs_url: Url


class LegacyTask(TypedDict):
    """``status`` is what it has said so far, ``last_status`` how many lines that are.

    ``output`` and ``last`` say the same in the newer words: `posit-sdk` takes a render's answer for a task of `v1`.
    """

    id: str
    user_id: int
    status: list[str]
    result: deploys.TaskResult | None
    finished: bool
    code: int
    error: str
    last_status: int
    output: list[str]
    last: int


def shape(item: Item, links: Addresses) -> Application:
    return {
        "id": item.id,
        "guid": item.guid,
        "name": item.name,
        "title": item.title,
        "url": links.content(item.guid),
        "description": item.description,
        "access_type": item.access_type,
        "app_mode": by_name(item.kind).number,
        "bundle_id": item.live_bundle_id,
        "needs_config": item.live_bundle_id is None,
        "content_category": item.content_category,
    }


@router.get("/users/current")
async def current_user(who: Known) -> CurrentUser:
    """Whose key or token this is; the R client asks here."""
    return {"id": who.user_id, "guid": who.guid, "username": who.username, "user_role": who.role.value}


@router.get("/applications")
async def list_applications(
    *,
    who: Known,
    session: Reading,
    links: Links,
    search: str = "",
    wanted: Annotated[list[str], Query(alias="filter")] = [],  # noqa: B006 - never changed
    count: int = 100,
    start: int = 0,
    cont: str = "",
) -> Applications:
    """The caller's items whose name or title contains ``search``; ``continuation`` is passed back as ``cont``.

    ``filter`` is ``name:…`` or ``account_id:…``, both exact; the R client takes the first of what is left for its own.
    """
    first = int(cont) if cont.isascii() and cont.isdecimal() and len(cont) < 10 else max(start, 0)
    size, sought = min(max(count, 1), LARGEST_PAGE), search.lower()
    found = [item for item in await items.listing(session, who) if _named(item, sought) and _passes(item, wanted)]
    page = found[first : first + size]
    following = first + len(page)
    return {
        "total": len(found),
        "count": len(page),
        "continuation": str(following) if following < len(found) else None,
        "applications": [shape(item, links) for item in page],
    }


def _named(item: Item, sought: str) -> bool:
    return sought in item.name.lower() or sought in (item.title or "").lower()


def _passes(item: Item, wanted: Sequence[str]) -> bool:
    """Return whether every filter holds; one that is not known lets nothing through."""
    facts = {"name": item.name, "account_id": str(item.owner_id)}
    pairs = (each.partition(":") for each in wanted)
    return all(facts.get(name) == value for name, _, value in pairs)


@router.post("/applications")
async def create_application(
    who: Publisher, wanted: NewItem, live: Live, session: Writing, links: Links
) -> Application:
    """Make an item."""
    given = {name: value for name, value in wanted.model_dump().items() if value is not None}
    ceilings = limits.ceilings(live.settings().scheduler)
    item = await items.create(session, who.user_id, given, now=live.clock.now(), ceilings=ceilings)
    return shape(item, links)


@router.get("/applications/{guid}")
async def get_application(subject: Viewed, links: Links) -> Application:
    """One item."""
    return shape(subject.item, links)


@router.post("/applications/{guid}")
async def change_application(wanted: NewItem, subject: Edited, live: Live, links: Links) -> Application:
    """Change the title."""
    given = {} if wanted.title is None else {"title": wanted.title}
    ceilings = limits.ceilings(live.settings().scheduler)
    await items.change(subject.session, subject.item, given, now=live.clock.now(), ceilings=ceilings)
    return shape(subject.item, links)


@router.post("/applications/{guid}/upload")
@takes(application__gzip=bytes, multipart__form_data=bundles.UploadForm)
async def upload(guid: str, request: Request, who: Known, live: Live) -> LegacyBundle:
    """Take a bundle; its number is an integer here."""
    made = await bundles.receive(live, who, guid, request)
    return {**made, "id": int(made["id"])}


@router.post("/applications/{guid}/deploy")
async def deploy(
    guid: str, who: Known, wanted: Annotated[OldDeployBody, edge.parsed(OldDeployBody)], live: Live
) -> LegacyTask:
    """Deploy a bundle; the answer is the task as older clients follow it."""
    order = deploys.DeployBody(bundle_id=wanted.bundle)
    task = await deploys.start(live, who, guid, order, build_only=False)
    return await task_shape(live, who, task, 0)


@router.get("/applications/{guid}/config")
async def config(subject: Viewed, links: Links) -> ApplicationPages:
    """Where the item's settings and logs are in the dashboard."""
    page = links.dashboard(subject.guid)
    return {"config_url": f"{page}/access", "logs_url": f"{page}/logs"}


@router.get("/tasks/{task_id}")
async def get_task(task_id: str, who: Known, live: Live, first_status: int = 0) -> LegacyTask:
    """A task as clients up to 1.24 follow it: asked for again and again, never waiting."""
    return await task_shape(live, who, task_id, first_status)


async def task_shape(live: Services, who: Principal, task_id: str, first: int) -> LegacyTask:
    seen = await deploys.followed(live, who, task_id, first, 0)
    # The oldest clients print the lines and nothing else.
    why = [f"Error: {seen.error}"] if seen.finished and seen.error else []
    return {
        "id": seen.id,
        "user_id": seen.user_id or 0,
        "status": [*seen.lines, *why],
        "result": deploys.result_of(seen),
        "finished": seen.finished,
        "code": seen.exit_code,
        "error": seen.error,
        "last_status": seen.last,
        "output": list(seen.lines),
        "last": seen.last,
    }
