"""Lists in numbered pages (``{results, current_page, total}``) and by cursor (``{paging, results}``): no other keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api.addresses import Addresses
from rostra.api.edge import MOUNT
from rostra.errors import Invalid
from rostra.wire import Url

LARGEST = 500
LAST = 1_000_000_000  # pages; what is behind it fits no database's numbers


class BadCursor(Invalid):
    code = "bad-cursor"
    number = 25

    def __init__(self) -> None:
        super().__init__("this page does not exist", hint="Begin again without a cursor.")


S = TypeVar("S")


class Page(TypedDict, Generic[S]):
    """Clients build it into a strict object: one key more and they fail."""

    results: list[S]
    current_page: int
    total: int


class Cursors(TypedDict):
    previous: str | None
    next: str | None


class Paging(TypedDict):
    cursors: Cursors
    first: Url
    previous: Url | None
    next: Url | None
    last: Url


class Keyset(TypedDict, Generic[S]):
    """As strict as ``Page``."""

    paging: Paging
    results: list[S]


@dataclass(frozen=True, slots=True)
class Asked:
    """``number`` counts from 1. A client may ask for a million rows a page; it gets ``LARGEST``."""

    number: int
    size: int

    def of(self, results: list[S], total: int) -> Page[S]:
        return {"results": results, "current_page": self.number, "total": total}


def _asked(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 20) -> Asked:
    return Asked(min(max(page_number, 1), LAST), min(max(page_size, 1), LARGEST))


Paged = Annotated[Asked, Depends(_asked)]


def _asked_many(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 100_000) -> Asked:
    return Asked(min(max(page_number, 1), LAST), min(max(page_size, 1), 100_000))


PagedWidely = Annotated[Asked, Depends(_asked_many)]
"""For rows so small that clients read them all at once."""


def _limit(limit: Annotated[int, Query()] = 20) -> int:
    return min(max(limit, 1), LARGEST)


Limit = Annotated[int, Depends(_limit)]
"""How many rows of a list by cursor; more than ``LARGEST`` are never given."""


def keyset(
    request: Request,
    links: Addresses,
    rows: list[S],
    *,
    previous: str | None,
    next: str | None,  # noqa: A002  (the wire's word)
    last: str | None,
) -> Keyset[S]:
    """Return a page of a list by cursor. Its addresses are absolute and keep the filters that were asked for."""
    path = str(request.scope["path"]).partition(MOUNT)[2] or str(request.scope["path"])
    kept = [(k, v) for k, v in parse_qsl(request.url.query) if k not in {"next", "previous"}]

    def address(**cursors: str) -> str:
        query = urlencode([*kept, *cursors.items()])
        return f"{links.base}{MOUNT}{path}" + (f"?{query}" if query else "")

    paging: Paging = {
        "cursors": {"previous": previous, "next": next},
        "first": address(),
        "previous": None if previous is None else address(previous=previous),
        "next": None if next is None else address(next=next),
        "last": address() if last is None else address(next=last),
    }
    return {"paging": paging, "results": rows}


class Numbered(Protocol):
    """A row whose place in its list is its number."""

    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=Numbered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which page of a list by number is asked for; ``next`` outranks ``previous``."""

    size: int
    next: int | None
    previous: int | None
    ascending: bool

    @property
    def backwards(self) -> bool:
        return self.previous is not None and self.next is None

    def bounds(self) -> dict[str, Any]:
        """Return what the look-up is given: one row more than the page, to see whether there are more."""
        return {
            "limit": self.size + 1,
            "after": self.next,
            "before": self.previous if self.backwards else None,
            "newest_first": not self.ascending,
        }

    def cut(self, found: list[R]) -> tuple[list[R], str | None, str | None]:
        """Return the page with the cursors of the pages before and after it."""
        rows = found[-self.size :] if self.backwards else found[: self.size]
        more = len(found) > self.size
        follows, precedes = (True, more) if self.backwards else (more, self.next is not None)
        before = text_of(rows[0].id) if rows and precedes else None
        return rows, before, text_of(rows[-1].id) if rows and follows else None


def text_of(number: int | None) -> str | None:
    return None if number is None else str(number)


def cursor_of(text: str) -> int | None:
    """Raises: BadCursor."""
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadCursor
    return int(text) if text else None
