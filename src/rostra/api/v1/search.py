"""Searching content with words and filters."""

from __future__ import annotations

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from rostra.api import shapes
from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.content_shapes import Content
from rostra.api.edge import Known, Reading
from rostra.api.paging import Paged
from rostra.api.sight import Shown
from rostra.content.search import SORTS, search
from rostra.wire import choice

router = Router()


class FoundContent(TypedDict):
    """``warnings`` is there only when something was left out."""

    results: list[Content]
    current_page: int
    total: int
    warnings: NotRequired[list[str]]


@router.get("/v1/search/content")
async def search_content(
    *,
    who: Known,
    sight: Shown,
    session: Reading,
    links: Links,
    page: Paged,
    q: str = "",
    include: str = "",
    sort: Annotated[str, choice(("", *SORTS))] = "",
    order: Annotated[str, choice(("", "asc", "desc"))] = "",
) -> FoundContent:
    """Content that fits ``q``, as in ``sales owner:@me is:published type:api``; ``warnings`` name what was left out."""
    ascending = order.lower() == "asc" if order else sort in {"name", "title", "owner"}
    found = await search(
        session, who, q, others=sight.others, sort=sort, ascending=ascending, page=page.number, size=page.size
    )
    rows = await shapes.contents(session, who, found.items, links, frozenset(include.split(",")))
    body: FoundContent = {"results": rows, "current_page": page.number, "total": found.total}
    if found.warnings:
        body["warnings"] = list(found.warnings)
    return body
