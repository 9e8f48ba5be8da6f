"""Vanity paths."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, after_commit
from rostra.api.subjects import Edited, Subject, Viewed
from rostra.clock import wire_time
from rostra.content import access, permissions, vanity
from rostra.content.tables import Item
from rostra.wire import Guid, Time, text

router = Router()


class VanityBody(BaseModel):
    path: Annotated[Any, text(1, vanity.LONGEST)] = None
    force: bool = False


class Vanity(TypedDict):
    content_guid: Guid
    path: str
    created_time: Time


def shape(item: Item) -> Vanity:
    """Return the path of an item that has one."""
    at, path = item.vanity_at or item.created_at, item.vanity_path
    assert path is not None
    return {"content_guid": item.guid, "path": path, "created_time": wire_time(at)}


@router.get("/v1/content/{guid}/vanity")
async def get_vanity(subject: Viewed) -> Vanity:
    """The item's vanity path; 404 when it has none."""
    if subject.item.vanity_path is None:
        raise vanity.NoVanityPath
    return shape(subject.item)


@router.put("/v1/content/{guid}/vanity")
async def set_vanity(wanted: Annotated[VanityBody, edge.parsed(VanityBody)], subject: Edited, live: Live) -> Vanity:
    """Give the item a path; with ``force`` also one that other content of the caller has."""
    path = vanity.normal(wanted.path)
    loser = await _willing(subject, path) if wanted.force else None
    await vanity.assign(subject.session, subject.item, path, live.clock.now(), take_from=loser)
    subject.changed()
    return shape(subject.item)


async def _willing(subject: Subject, path: str) -> Item | None:
    """Return the present holder when the caller may change it, and have its visitors' paths forgotten."""
    there = await vanity.holder(subject.session, path)
    if there is None or there.id == subject.item.id:
        return None
    facts = await permissions.facts(subject.session, there, subject.who)
    if not access.may_edit(subject.who, facts):
        return None
    guid = there.guid

    async def told() -> None:
        await subject.live.on_item_changed(guid)

    after_commit(subject.session, told)
    return there


@router.delete("/v1/content/{guid}/vanity", status_code=204)
async def delete_vanity(subject: Edited) -> Response:
    """Take the item's path away."""
    if subject.item.vanity_path is None:
        raise vanity.NoVanityPath
    subject.item.vanity_path = subject.item.vanity_at = None
    subject.changed()
    return Response(status_code=204)


@router.get("/v1/vanities")
async def list_vanities(who: Known, session: Reading) -> list[Vanity]:
    """All vanity paths the caller may know of, by path."""
    return [shape(item) for item in await vanity.listing(session, who)]
