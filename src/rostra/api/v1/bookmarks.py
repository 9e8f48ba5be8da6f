"""Bookmarks: each person's own, on content that person may know of."""

from __future__ import annotations

from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, Writing
from rostra.api.subjects import load
from rostra.clock import wire_time
from rostra.content import bookmarks
from rostra.content.tables import Bookmark
from rostra.wire import Guid, Time

router = Router()


class BookmarkShape(TypedDict):
    content_guid: Guid
    created_time: Time


def shape(guid: str, found: Bookmark) -> BookmarkShape:
    return {"content_guid": guid, "created_time": wire_time(found.created_at)}


@router.get("/v1/content/{guid}/bookmark")
async def get_bookmark(guid: str, who: Known, live: Live, session: Reading) -> BookmarkShape:
    """The caller's bookmark on the item; 404 when there is none."""
    subject = await load(session, live, who, guid)
    return shape(subject.guid, await bookmarks.get(session, subject.item, who.user_id))


@router.post("/v1/content/{guid}/bookmark", status_code=201)
async def add_bookmark(guid: str, who: Known, live: Live, session: Writing) -> BookmarkShape:
    """Set the caller's bookmark."""
    subject = await load(session, live, who, guid)
    return shape(subject.guid, await bookmarks.add(session, subject.item, who.user_id, live.clock.now()))


@router.delete("/v1/content/{guid}/bookmark", status_code=204)
async def remove_bookmark(guid: str, who: Known, live: Live, session: Writing) -> Response:
    """Remove the caller's bookmark."""
    subject = await load(session, live, who, guid)
    await bookmarks.remove(session, subject.item, who.user_id)
    return Response(status_code=204)
