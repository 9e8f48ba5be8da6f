"""Who opened what: hits of everything, and visits of what the server itself shows (static content and documents)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

import sqlalchemy as sa
from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.edge import Reading, UsageReader
from rostra.api.paging import Chosen, Keyset, cursor_of, keyset, text_of
from rostra.auth.principals import Principal
from rostra.clock import wire_time
from rostra.content import access, usage
from rostra.content.tables import Item, Rendering
from rostra.content.usage import Row
from rostra.content.usage_pages import Asked
from rostra.errors import Invalid
from rostra.rendering.tables import Variant
from rostra.wire import Guid, Id, Time

router = Router()

LARGEST_PAGE = 500
MOST_HITS = 100_000  # one answer
MOST_GUIDS = 500
DATA_VERSION = 3  # of rows, in the words of the wire


class BadMoment(Invalid):
    code = "bad-moment"
    number = 25

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not a moment", hint="Write for example 2026-09-01T12:00:00Z or 2026-09-01.")


class HitData(TypedDict):
    path: str
    user_agent: str


class Hit(TypedDict):
    """``user_guid`` is null for somebody unknown."""

    id: int
    user_guid: Guid | None
    content_guid: Guid
    timestamp: Time
    data: HitData


class Visit(TypedDict):
    """``variant_key`` and ``rendering_id`` are null for what is not rendered."""

    content_guid: Guid
    user_guid: Guid | None
    variant_key: str | None
    rendering_id: Id | None
    bundle_id: Id | None
    time: Time
    data_version: int
    path: str


@router.get("/v1/instrumentation/content/hits")
async def list_hits(
    who: UsageReader,
    session: Reading,
    content_guid: str = "",
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
) -> list[Hit]:
    """Every hit, oldest first: of all content for administrators, else of the content the person may change."""
    asked = await asked_of(session, who, content_guid, since, to, only_shown=False)
    rows = await usage.listing(session, asked, limit=MOST_HITS)
    return [_hit(row) for row in rows]


@router.get("/v1/instrumentation/content/visits")
async def list_visits(
    *,
    request: Request,
    who: UsageReader,
    session: Reading,
    links: Links,
    content_guid: str = "",
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
    limit: int = LARGEST_PAGE,
    next: str = "",  # noqa: A002
    previous: str = "",
    asc_order: bool = True,
) -> Keyset[Visit]:
    """Visits of static content and documents, in pages with cursors."""
    asked = await asked_of(session, who, content_guid, since, to, only_shown=True)
    size = min(max(limit, 1), LARGEST_PAGE)
    chosen = Chosen(size=size, next=cursor_of(next), previous=cursor_of(previous), ascending=asc_order)
    page = await usage.listing(session, asked, **chosen.bounds())
    rows, before, after = chosen.cut(page)
    last = await usage.last(session, asked, limit=size, newest_first=not asc_order)
    variants = await _variant_keys(session, [row.rendering_id for row in rows if row.rendering_id])
    return keyset(
        request, links, [_visit(row, variants) for row in rows], previous=before, next=after, last=text_of(last)
    )


async def _variant_keys(session: AsyncSession, renderings: list[int]) -> dict[int, str]:
    """Return the keys of the variants these renderings are of; one that is gone is not there."""
    wanted = sa.select(Rendering.id, Variant.key).join(
        Variant,
        sa.or_(
            Variant.id == Rendering.variant_id,
            sa.and_(Rendering.variant_id.is_(None), Variant.item_id == Rendering.item_id, Variant.is_default),
        ),
    )
    rows = await session.execute(wanted.where(Rendering.id.in_(sorted(set(renderings)))))
    return dict(rows.all())


async def asked_of(
    session: AsyncSession, who: Principal, guids: str, since: str, to: str, *, only_shown: bool
) -> Asked:
    named = [guid for guid in guids.split("|") if guid]
    items = None
    if named or not who.is_administrator:
        items = list((await session.execute(_changeable(who, named))).scalars())
    return Asked(items=items, since=moment("from", since), until=moment("to", to, end=True), only_shown=only_shown)


def _changeable(who: Principal, guids: list[str]) -> sa.Select[int]:
    """Return the ids of the items whose use this person may see: those they may change."""
    wanted = sa.select(Item.id).where(access.changeable_by(who))
    return wanted.where(Item.guid.in_(guids[:MOST_GUIDS])) if guids else wanted


# Nothing happened before; and everything between can be moved a little, and be another zone's.
_FIRST, _LAST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


def moment(name: str, text: str, *, end: bool = False) -> dt.datetime | None:
    """Read RFC 3339, or a day: its first moment, or with ``end`` the first after it."""
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that was not encoded
    except ValueError:
        raise BadMoment(name) from None
    whole_day = len(text) <= len("2026-09-01")
    found = max(found if found.tzinfo else found.replace(tzinfo=dt.UTC), _FIRST)
    if found > _LAST:
        raise BadMoment(name)
    return found + dt.timedelta(days=1) if end and whole_day else found


def _hit(row: Row) -> Hit:
    return {
        "id": row.id,
        "user_guid": row.user,
        "content_guid": row.item,
        "timestamp": wire_time(row.at),
        "data": {"path": row.path, "user_agent": row.agent},
    }


def _visit(row: Row, variants: Mapping[int, str]) -> Visit:
    return {
        "content_guid": row.item,
        "user_guid": row.user,
        "variant_key": None if row.rendering_id is None else variants.get(row.rendering_id),
        "rendering_id": None if row.rendering_id is None else str(row.rendering_id),
        "bundle_id": None if row.bundle_id is None else str(row.bundle_id),
        "time": wire_time(row.at),
        "data_version": DATA_VERSION,
        "path": row.path,
    }
