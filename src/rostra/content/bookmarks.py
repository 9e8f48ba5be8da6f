"""Bookmarks: what somebody wants to find again. Each person has at most one on an item."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Bookmark, Item
from rostra.errors import Conflict, NotFound


class NoBookmark(NotFound):
    code = "no-bookmark"

    def __init__(self) -> None:
        super().__init__("you have no bookmark on this content", hint="Set one first.")


class BookmarkedAlready(Conflict):
    code = "bookmarked-already"
    number = 267

    def __init__(self) -> None:
        super().__init__("you have a bookmark on this content already", hint="Nothing needs to be done.")


async def get(session: AsyncSession, item: Item, user_id: int) -> Bookmark:
    """Raises: NoBookmark."""
    found = await session.get(Bookmark, (user_id, item.id))
    if found is None:
        raise NoBookmark
    return found


async def add(session: AsyncSession, item: Item, user_id: int, now: dt.datetime) -> Bookmark:
    """Raises: BookmarkedAlready."""
    if await session.get(Bookmark, (user_id, item.id)) is not None:
        raise BookmarkedAlready
    made = Bookmark(user_id=user_id, item_id=item.id, created_at=now)
    session.add(made)
    await session.flush()
    return made


async def remove(session: AsyncSession, item: Item, user_id: int) -> None:
    """Raises: NoBookmark."""
    await session.delete(await get(session, item, user_id))


async def of_user(session: AsyncSession, user_id: int) -> frozenset[int]:
    """Return the numbers of the items a person has a bookmark on."""
    wanted = sa.select(Bookmark.item_id).where(Bookmark.user_id == user_id)
    return frozenset((await session.execute(wanted)).scalars())
