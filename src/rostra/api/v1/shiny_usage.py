"""Sessions of interactive content: who had a page of it open, from when to when."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.edge import Reading, UsageReader
from rostra.api.paging import LARGEST, Chosen, Keyset, cursor_of, keyset, text_of
from rostra.api.v1.usage import DATA_VERSION, asked_of
from rostra.clock import wire_time
from rostra.content import usage_sessions
from rostra.content.usage_sessions import Row
from rostra.wire import Guid, Time

router = Router()


class UsageSession(TypedDict):
    """``user_guid`` is null for somebody unknown, ``ended`` while it goes on."""

    content_guid: Guid
    user_guid: Guid | None
    started: Time
    ended: Time | None
    data_version: int


@router.get("/v1/instrumentation/shiny/usage")
async def list_sessions(
    *,
    request: Request,
    who: UsageReader,
    session: Reading,
    links: Links,
    content_guid: str = "",
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
    limit: int = LARGEST,
    next: str = "",  # noqa: A002
    previous: str = "",
    asc_order: bool = True,
) -> Keyset[UsageSession]:
    """Sessions of interactive content in pages with cursors: a visitor's WebSocket, open while ``ended`` is null."""
    asked = await asked_of(session, who, content_guid, since, to, only_shown=False)
    size = min(max(limit, 1), LARGEST)
    chosen = Chosen(size=size, next=cursor_of(next), previous=cursor_of(previous), ascending=asc_order)
    rows, before, after = chosen.cut(await usage_sessions.listing(session, asked, **chosen.bounds()))
    last = await usage_sessions.last(session, asked, limit=size, newest_first=not asc_order)
    return keyset(request, links, [_shape(row) for row in rows], previous=before, next=after, last=text_of(last))


def _shape(row: Row) -> UsageSession:
    """Return a session as clients know one; exactly these keys."""
    return {
        "content_guid": row.item,
        "user_guid": row.user,
        "started": wire_time(row.began),
        "ended": None if row.ended is None else wire_time(row.ended),
        "data_version": DATA_VERSION,
    }
