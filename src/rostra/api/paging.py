"""Lists in numbered pages (``{results, current_page, total}``) and by cursor (``{paging, results}``): no other keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query
from starlette.requests import Request

from rostra.api.addresses import Addresses
from rostra.api.edge import MOUNT

LARGEST = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """``number`` counts from 1. A client may ask for a million rows a page; it gets ``LARGEST``."""

    number: int
    size: int

    def of(self, results: list[dict[str, Any]], total: int) -> dict[str, Any]:
        return {"results": results, "current_page": self.number, "total": total}


def _asked(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 20) -> Asked:
    return Asked(max(page_number, 1), min(max(page_size, 1), LARGEST))


Paged = Annotated[Asked, Depends(_asked)]


def _asked_many(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 100_000) -> Asked:
    return Asked(max(page_number, 1), min(max(page_size, 1), 100_000))


PagedWidely = Annotated[Asked, Depends(_asked_many)]
"""For rows so small that clients read them all at once."""


def _limit(limit: Annotated[int, Query()] = 20) -> int:
    return min(max(limit, 1), LARGEST)


Limit = Annotated[int, Depends(_limit)]
"""How many rows of a list by cursor; more than ``LARGEST`` are never given."""


def keyset(
    request: Request,
    links: Addresses,
    rows: list[dict[str, Any]],
    *,
    previous: str | None,
    next: str | None,  # noqa: A002  (the wire's word)
    last: str | None,
) -> dict[str, Any]:
    """Return a page of a list by cursor. Its addresses are absolute and keep the filters that were asked for."""
    path = str(request.scope["path"]).partition(MOUNT)[2] or str(request.scope["path"])
    kept = [(k, v) for k, v in parse_qsl(request.url.query) if k not in {"next", "previous"}]

    def address(**cursors: str) -> str:
        query = urlencode([*kept, *cursors.items()])
        return f"{links.base}{MOUNT}{path}" + (f"?{query}" if query else "")

    paging = {
        "cursors": {"previous": previous, "next": next},
        "first": address(),
        "previous": None if previous is None else address(previous=previous),
        "next": None if next is None else address(next=next),
        "last": address() if last is None else address(next=last),
    }
    return {"paging": paging, "results": rows}
