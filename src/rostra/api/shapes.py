"""The shapes of one item or of thousands, with what they need looked up beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.addresses import Addresses
from rostra.api.content_shapes import Around, Content, Live, Person, content
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content import bookmarks, items, tags
from rostra.content.access import Grant, given_to, strongest
from rostra.content.tables import Bundle, Item, Permission, Tag
from rostra.db.base import MOST_VALUES
from rostra.rendering.tables import ScheduleRow, Variant

# What an item's shape says of its live bundle and its owner: manifests are large, and lists are long.
OF_BUNDLES = (Bundle.runtime_version, Bundle.r_version, Bundle.quarto_version, Bundle.managed)
OF_OWNERS = (User.guid, User.username, User.first_name, User.last_name)
_AT_ONCE = 500  # items that are made into text before others get their turn


async def contents(
    session: AsyncSession, who: Principal, some: Sequence[Item], links: Addresses, include: Collection[str] = ()
) -> list[Content]:
    """Return the items' shapes, in their order, with a few look-ups however many there are."""
    ids = [item.id for item in some]
    live_ids = {item.live_bundle_id for item in some if item.live_bundle_id is not None}
    bundles = {row.id: Live._make(row[1:]) for row in await _rows(session, (Bundle.id, *OF_BUNDLES), live_ids)}
    owners = await people(session, {item.owner_id for item in some})
    beside = await _beside(session, who, Item.id.in_(ids), include)
    return [
        content(
            item,
            beside.of(item.id, bundles.get(item.live_bundle_id or 0), owners[item.owner_id]),
            who,
            links,
            include,
        )
        for item in some
    ]


async def listing(
    session: AsyncSession,
    who: Principal,
    links: Addresses,
    include: Collection[str] = (),
    *,
    name: str | None = None,
    owner_guid: str | None = None,
) -> bytes:
    """Return the JSON of all items of `items.listed`: what `contents` would give, for tens of thousands of them.

    Only a few at a time are held as objects: keeping all would cost more than linearly, for the garbage collector
    goes through whatever is kept, again and again.
    """
    there = Bundle.id.label("live_id")  # a live bundle that is not there has no runtime
    wanted = sa.select(*Item.__table__.columns, *OF_BUNDLES, *OF_OWNERS, there)
    wanted = wanted.join(User, User.id == Item.owner_id).outerjoin(Bundle, Bundle.id == Item.live_bundle_id)
    chosen = items.listed(sa.select(Item.id), who, name=name, owner_guid=owner_guid).order_by(None)
    beside = await _beside(session, who, Item.id.in_(chosen), include)
    own = len(Item.__table__.columns)
    live, owner = slice(own, own + len(OF_BUNDLES)), slice(own + len(OF_BUNDLES), -1)

    def around(row: sa.Row[Any]) -> Around:
        runs_on = None if row.live_id is None else Live._make(row[live])
        return beside.of(row.id, runs_on, Person._make(row[owner]))

    parts: list[bytes] = []
    rows = await session.stream(items.listed(wanted, who, name=name, owner_guid=owner_guid))
    async for some in rows.partitions(_AT_ONCE):
        shown = [content(row, around(row), who, links, include) for row in some]
        parts.append(to_json(shown)[1:-1])
    return b"[" + b",".join(parts) + b"]"


async def one_content(
    session: AsyncSession, who: Principal, item: Item, links: Addresses, include: Collection[str] = ()
) -> Content:
    return (await contents(session, who, [item], links, include))[0]


@dataclass(frozen=True, slots=True)
class _Beside:
    """What belongs to the items of a list, by item."""

    grants: Mapping[int, Grant]
    tagged: Mapping[int, Sequence[Tag]]
    marked: Collection[int]
    planned: Mapping[int, tuple[ScheduleRow, Variant]]

    def of(self, item_id: int, live: Live | None, owner: Person) -> Around:
        return Around(
            live,
            owner,
            self.grants.get(item_id),
            self.tagged.get(item_id, ()),
            item_id in self.marked,
            self.planned.get(item_id),
        )


async def _beside(
    session: AsyncSession, who: Principal, chosen: sa.ColumnElement[bool], include: Collection[str]
) -> _Beside:
    """Look up what was asked for of the items the filter ``chosen`` lets through."""
    return _Beside(
        await _grants(session, who),
        await tags.of_items(session, chosen) if "tags" in include else {},
        await bookmarks.of_user(session, who.user_id) if "bookmarked" in include else frozenset(),
        await _schedules(session, chosen) if "schedule" in include else {},
    )


async def _grants(session: AsyncSession, who: Principal) -> dict[int, Grant]:
    """Return what the person was given, themselves or with a group, by item."""
    mine = sa.select(Permission.item_id, Permission.role).where(given_to(who.user_id))
    found: dict[int, Grant] = {}
    for item_id, role in await session.execute(mine):
        found[item_id] = strongest([role, *([found[item_id]] if item_id in found else [])]) or Grant.viewer
    return found


async def _schedules(session: AsyncSession, chosen: sa.ColumnElement[bool]) -> dict[int, tuple[ScheduleRow, Variant]]:
    """Return the schedules of the items' default variants."""
    wanted = sa.select(ScheduleRow, Variant).join(Variant, Variant.id == ScheduleRow.variant_id)
    wanted = wanted.where(Variant.is_default, Variant.item_id.in_(sa.select(Item.id).where(chosen)))
    return {variant.item_id: (row, variant) for row, variant in await session.execute(wanted)}


async def people(session: AsyncSession, ids: Collection[int]) -> dict[int, Person]:
    return {row[0]: Person._make(row[1:]) for row in await _rows(session, (User.id, *OF_OWNERS), ids)}


async def _rows(session: AsyncSession, columns: Sequence[Any], ids: Collection[int]) -> Sequence[sa.Row[Any]]:
    """Return these columns of the rows with these numbers; the first column is the number."""
    found: list[sa.Row[Any]] = []
    wanted = sorted(ids)
    for start in range(0, len(wanted), MOST_VALUES):
        chunk = sa.select(*columns).where(columns[0].in_(wanted[start : start + MOST_VALUES]))
        found += await session.execute(chunk)
    return found
