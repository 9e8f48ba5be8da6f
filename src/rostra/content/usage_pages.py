"""Which use is wanted, and its pages: the same of visits and of sessions, whose ids are in the order of writing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

Query = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which use is wanted: of these items (None: any), in [``since``, ``until``), only of shown files when so."""

    items: Collection[int] | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    only_shown: bool = False


class Bounds(TypedDict, total=False):
    """Ids, exclusive, in the order of the page."""

    after: int | None
    before: int | None
    newest_first: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one table, by its columns."""

    id: InstrumentedAttribute[int]
    item_id: InstrumentedAttribute[int]
    at: InstrumentedAttribute[dt.datetime]

    def filtered(self, wanted: Query, asked: Asked) -> Query:
        """Return ``wanted`` of these items in this time."""
        if asked.items is not None:
            wanted = wanted.where(self.item_id.in_(sorted(asked.items)))
        if asked.since is not None:
            wanted = wanted.where(self.at >= asked.since)
        return wanted if asked.until is None else wanted.where(self.at < asked.until)

    async def rows(
        self,
        session: AsyncSession,
        wanted: Query,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        newest_first: bool = False,
    ) -> list[Any]:
        """Return rows in the order they were written. ``after`` and ``before`` are ids, exclusive, in that order.

        With ``before`` alone the last ``limit`` before it are returned, still in order.
        """
        backwards = before is not None and after is None
        down = newest_first != backwards
        for bound, comes_later in ((after, True), (before, False)):
            if bound is not None:
                wanted = wanted.where(self.id < bound if newest_first == comes_later else self.id > bound)
        wanted = wanted.order_by(self.id.desc() if down else self.id).limit(limit)
        rows = list(await session.execute(wanted))
        return rows[::-1] if backwards else rows

    async def last(self, session: AsyncSession, wanted: Query, *, limit: int, newest_first: bool = False) -> int | None:
        """Return the id after which the last page of ``wanted``, a query of ids, begins; None when all fits on one."""
        wanted = wanted.order_by(self.id if newest_first else self.id.desc()).offset(limit).limit(1)
        found: int | None = (await session.execute(wanted)).scalar_one_or_none()
        return found
