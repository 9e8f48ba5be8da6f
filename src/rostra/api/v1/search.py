"""Searching content with words and filters."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from rostra.api import shapes
from rostra.api.addresses import Links
from rostra.api.edge import Known, Reading
from rostra.api.paging import Paged
from rostra.content.search import search

router = APIRouter()


@router.get("/v1/search/content")
async def search_content(
    *,
    who: Known,
    session: Reading,
    links: Links,
    page: Paged,
    q: str = "",
    include: str = "",
    sort: str = "",
    order: str = "",
) -> dict[str, Any]:
    """Content that fits ``q``, as in ``sales owner:@me is:published type:api``; ``warnings`` name what was left out."""
    ascending = order.lower() == "asc" if order else sort in {"name", "title", "owner"}
    found = await search(session, who, q, sort=sort, ascending=ascending, page=page.number, size=page.size)
    rows = await shapes.contents(session, who, found.items, links, frozenset(include.split(",")))
    body = page.of(rows, found.total)
    return {**body, "warnings": list(found.warnings)} if found.warnings else body
