"""Visits: collected in memory, written in batches, counted and listed.

What was collected since the last batch (a second) is lost when the server is killed; nothing else depends on it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Unpack

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import User
from rostra.content.tables import Item, Visit
from rostra.content.usage_pages import Asked, Bounds, Pages, Query
from rostra.db.engine import Sessions, transaction

PATH_LENGTH, AGENT_LENGTH = 1000, 250  # characters kept
MOST_WAITING = 10_000  # more than that in a second are not individual visits any more
KEPT = dt.timedelta(days=400)  # a year can be compared with the one before it
_AT_ONCE = 500  # values one statement may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One visit as it is reported. ``user`` is a guid. ``bundle_id`` is given for what the server itself shows."""

    item: str
    user: str | None
    path: str
    at: dt.datetime
    agent: str
    bundle_id: int | None = None
    rendering_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One visit as it is told."""

    id: int
    item: str
    user: str | None
    at: dt.datetime
    path: str
    agent: str
    bundle_id: int | None
    rendering_id: int | None


class Collected:
    """What is to be written. ``add`` never waits; ``write`` is called each second by its owner, and at the end."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: list[Seen] = []

    def add(self, seen: Seen) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(seen)

    async def write(self) -> int:
        """Write what was collected, in one transaction; return how many. On failure it is kept for the next time."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return 0
        try:
            async with transaction(self._sessions) as session:
                return await store(session, batch)
        except BaseException:
            self._waiting = (batch + self._waiting)[:MOST_WAITING]
            raise


async def store(session: AsyncSession, batch: Sequence[Seen]) -> int:
    """Write visits; those of items that are gone are dropped. Return how many were written."""
    items = await ids_of(session, Item, {seen.item for seen in batch})
    users = await ids_of(session, User, {seen.user for seen in batch if seen.user})
    rows = [
        {
            "item_id": items[seen.item],
            "user_id": users.get(seen.user or ""),
            "at": seen.at,
            "path": _kept(seen.path, PATH_LENGTH),
            "agent": _kept(seen.agent, AGENT_LENGTH),
            "bundle_id": seen.bundle_id,
            "rendering_id": seen.rendering_id,
        }
        for seen in batch
        if seen.item in items
    ]
    if rows:
        await session.execute(sa.insert(Visit), rows)
    return len(rows)


async def listing(session: AsyncSession, asked: Asked, *, limit: int, **bounds: Unpack[Bounds]) -> list[Row]:
    """Return visits, in pages as `Pages.rows` makes them."""
    rows = await _PAGES.rows(session, _filtered(_COLUMNS, asked), limit=limit, **bounds)
    return [Row(**row._mapping) for row in rows]


async def last(session: AsyncSession, asked: Asked, *, limit: int, newest_first: bool = False) -> int | None:
    """Return the id after which the last page begins; None when everything fits on one."""
    wanted = _filtered(sa.select(Visit.id), asked)
    return await _PAGES.last(session, wanted, limit=limit, newest_first=newest_first)


_PAGES = Pages(Visit.id, Visit.item_id, Visit.at)
_COLUMNS = (
    sa.select(
        Visit.id.label("id"),
        Item.guid.label("item"),
        User.guid.label("user"),
        Visit.at.label("at"),
        Visit.path.label("path"),
        Visit.agent.label("agent"),
        Visit.bundle_id.label("bundle_id"),
        Visit.rendering_id.label("rendering_id"),
    )
    .join(Item, Item.id == Visit.item_id)
    .outerjoin(User, User.id == Visit.user_id)
)


def _filtered(wanted: Query, asked: Asked) -> Query:
    wanted = _PAGES.filtered(wanted, asked)
    return wanted.where(Visit.bundle_id.is_not(None)) if asked.only_shown else wanted


def count_since(since: dt.datetime) -> sa.ScalarSelect[int]:
    """Return the visits of a query's `Item` since a moment, as a column of that query; one look into an index."""
    found = sa.select(sa.func.count()).select_from(Visit).where(Visit.item_id == Item.id, Visit.at >= since)
    return found.correlate(Item).scalar_subquery()


def last_visit() -> sa.ScalarSelect[dt.datetime]:
    """Return when a query's `Item` was visited last, as a column of that query; NULL: never."""
    return sa.select(sa.func.max(Visit.at)).where(Visit.item_id == Item.id).correlate(Item).scalar_subquery()


async def prune(session: AsyncSession, now: dt.datetime, kept: dt.timedelta = KEPT) -> None:
    """Forget visits older than ``kept``."""
    await session.execute(sa.delete(Visit).where(Visit.at < now - kept))


async def ids_of(session: AsyncSession, table: type[Item] | type[User], guids: Collection[str]) -> dict[str, int]:
    """Return the numbers of those of the items or people that there are."""
    found: dict[str, int] = {}
    wanted = sorted(guids)
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = sa.select(table.guid, table.id).where(table.guid.in_(wanted[start : start + _AT_ONCE]))
        found.update((guid, number) for guid, number in await session.execute(chunk))
    return found


def _kept(text: str, most: int) -> str:
    """Return what of a visitor's text is kept: PostgreSQL takes neither NUL nor half a surrogate pair."""
    return text[:most].replace("\0", "").encode("utf-8", "replace").decode()


Record = Callable[[Seen], None]
