"""Sessions of interactive content: who was there from when to when. Told by gateways, row by whole row.

A row may come twice, late, or again after its session was thought over; the last word counts. A session nobody has
told of for a while ended when it was last told of: its gateway is gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import User
from rostra.content.tables import Item, UsageSession
from rostra.content.usage import KEPT, ids_of
from rostra.content.usage_pages import Asked, Bounds, Pages
from rostra.db.engine import Sessions, alone, transaction

SILENT = dt.timedelta(seconds=120)  # four reminders missed
MOST_WAITING = 100_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a gateway says of one session. ``item`` and ``user`` are guids."""

    key: str
    item: str
    user: str | None
    began: dt.datetime
    ended: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One session as it is listed."""

    id: int
    item: str
    user: str | None
    began: dt.datetime
    ended: dt.datetime | None


class Collected:
    """What is to be written; as `usage.Collected`, but a later row of a session replaces the one that waits."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: dict[str, Told] = {}

    def add(self, told: Told) -> None:
        if told.key in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[told.key] = told

    async def write(self, now: dt.datetime) -> None:
        """Write what was collected, in one transaction. On failure it is kept for the next time."""
        batch, self._waiting = self._waiting, {}
        if not batch:
            return
        try:
            async with transaction(self._sessions) as session:
                await store(session, list(batch.values()), now)
        except BaseException:
            self._waiting = batch | self._waiting
            raise


async def store(session: AsyncSession, batch: Sequence[Told], now: dt.datetime) -> None:
    """Write sessions; those of items that are gone are dropped."""
    await alone(session, "usage-sessions")
    items = await ids_of(session, Item, {told.item for told in batch})
    users = await ids_of(session, User, {told.user for told in batch if told.user})
    for start in range(0, len(batch), _AT_ONCE):
        part = batch[start : start + _AT_ONCE]
        known = set(await session.scalars(_keys([told.key for told in part])))
        goes_on = [told.key for told in part if told.key in known and told.ended is None]
        if goes_on:
            again = sa.update(UsageSession).where(UsageSession.key.in_(goes_on))
            await session.execute(again.values(seen_at=now, ended_at=None))
        for told in part:
            if told.key in known and told.ended is not None:
                over = sa.update(UsageSession).where(UsageSession.key == told.key)
                await session.execute(over.values(seen_at=now, ended_at=told.ended))
        rows = [
            {
                "key": told.key[:64],
                "item_id": items[told.item],
                "user_id": users.get(told.user or ""),
                "began_at": told.began,
                "seen_at": now,
                "ended_at": told.ended,
            }
            for told in part
            if told.key not in known and told.item in items
        ]
        if rows:
            await session.execute(sa.insert(UsageSession), rows)


def _keys(keys: list[str]) -> sa.Select[str]:
    return sa.select(UsageSession.key).where(UsageSession.key.in_(keys))


async def end_silent(session: AsyncSession, now: dt.datetime) -> int:
    """End the sessions nobody tells of any more, at the moment they were last told of; return how many."""
    gone = sa.update(UsageSession).where(UsageSession.ended_at.is_(None), UsageSession.seen_at < now - SILENT)
    result = await session.execute(gone.values(ended_at=UsageSession.seen_at))
    return int(getattr(result, "rowcount", 0))


async def prune(session: AsyncSession, now: dt.datetime, kept: dt.timedelta = KEPT) -> None:
    """Forget sessions that began longer ago than ``kept``."""
    await session.execute(sa.delete(UsageSession).where(UsageSession.began_at < now - kept))


async def listing(session: AsyncSession, asked: Asked, *, limit: int, **bounds: Unpack[Bounds]) -> list[Row]:
    """Return sessions, in pages as `Pages.rows` makes them."""
    rows = await _PAGES.rows(session, _PAGES.filtered(_COLUMNS, asked), limit=limit, **bounds)
    return [Row(**row._mapping) for row in rows]


async def last(session: AsyncSession, asked: Asked, *, limit: int, newest_first: bool = False) -> int | None:
    """Return the id after which the last page begins; None when everything fits on one."""
    wanted = _PAGES.filtered(sa.select(UsageSession.id), asked)
    return await _PAGES.last(session, wanted, limit=limit, newest_first=newest_first)


_PAGES = Pages(UsageSession.id, UsageSession.item_id, UsageSession.began_at)
_COLUMNS = (
    sa.select(
        UsageSession.id.label("id"),
        Item.guid.label("item"),
        User.guid.label("user"),
        UsageSession.began_at.label("began"),
        UsageSession.ended_at.label("ended"),
    )
    .join(Item, Item.id == UsageSession.item_id)
    .outerjoin(User, User.id == UsageSession.user_id)
)
