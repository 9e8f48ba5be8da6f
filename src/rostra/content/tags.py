"""Tags: trees of words to find content by. The root of each tree is a category, which content cannot have itself.

Content that has a tag has all of its ancestors below the category too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.errors import shown
from rostra.content.names import storable
from rostra.content.tables import Item, ItemTag, Tag
from rostra.db.engine import alone
from rostra.errors import Conflict, Invalid, NotFound

LONGEST_NAME = 255
DEEPEST = 50

Parents = Mapping[int, int | None]


class NoSuchTag(NotFound):
    code = "no-such-tag"

    def __init__(self, tag_id: object) -> None:
        super().__init__(f"there is no tag {shown(tag_id)}", hint="List the tags to find the right one.")


class TagNameEmpty(Invalid):
    code = "tag-name-empty"
    number = 78

    def __init__(self) -> None:
        super().__init__("a tag needs a name", hint="Give it one.")


class TagNameInvalid(Invalid):
    code = "tag-name-invalid"
    number = 77

    def __init__(self) -> None:
        super().__init__(
            "the name of the tag is too long, or is not text", hint=f"Use up to {LONGEST_NAME} characters."
        )


class TagNameTaken(Conflict):
    code = "tag-name-taken"
    number = 81

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is already a tag called {shown(name)} in this place", hint="Choose another name.")


class InvalidParentTag(Invalid):
    code = "invalid-parent-tag"
    number = 157

    def __init__(self, why: str) -> None:
        super().__init__(f"that tag cannot be the parent: {why}", hint="Choose another one, or none for a category.")


class CategoryNotAssignable(Invalid):
    code = "category-not-assignable"
    number = 79

    def __init__(self, name: str) -> None:
        super().__init__(f"{shown(name)} is a category, which content cannot have", hint="Use a tag below it.")


def ancestors(tag_id: int, parents: Parents) -> list[int]:
    """Return the ids above a tag, nearest first, without the category."""
    found: list[int] = []
    at = parents.get(tag_id)
    while at is not None and parents.get(at) is not None:
        found.append(at)
        at = parents[at]
    return found


def subtree(tag_id: int, parents: Parents) -> set[int]:
    """Return the ids of a tag and of all that is below it."""
    below: dict[int | None, list[int]] = {}
    for child, parent in parents.items():
        below.setdefault(parent, []).append(child)
    found, open_ = set[int](), [tag_id]
    while open_:
        at = open_.pop()
        found.add(at)
        open_ += below.get(at, [])
    return found


def depth(tag_id: int | None, parents: Parents) -> int:
    """Return how many tags there are from the category down to this one."""
    count = 0
    while tag_id is not None:
        count, tag_id = count + 1, parents.get(tag_id)
    return count


async def parents(session: AsyncSession) -> Parents:
    """Return the parent of each tag."""
    return {row.id: row.parent_id for row in await session.execute(sa.select(Tag.id, Tag.parent_id))}


async def listing(session: AsyncSession, *, name: str | None = None, parent_id: int | None = None) -> Sequence[Tag]:
    """Return all tags, oldest first; of one exact name, or directly below one parent, when that is asked for."""
    wanted = sa.select(Tag).order_by(Tag.id)
    if name is not None:
        wanted = wanted.where(Tag.name == name)
    if parent_id is not None:
        wanted = wanted.where(Tag.parent_id == parent_id)
    return (await session.execute(wanted)).scalars().all()


def number(tag_id: object) -> int:
    """Return the id as clients write it, text or number.

    Raises:
        NoSuchTag
    """
    text = str(tag_id) if isinstance(tag_id, int) and not isinstance(tag_id, bool) else tag_id
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise NoSuchTag(tag_id)
    return int(text)


async def get(session: AsyncSession, tag_id: object) -> Tag:
    """Raises: NoSuchTag."""
    tag = await session.get(Tag, number(tag_id))
    if tag is None:
        raise NoSuchTag(tag_id)
    return tag


async def by_path(session: AsyncSession, path: str) -> Tag:
    """Return the tag at a path of names from its category down, with commas between: ``Department,Sales``.

    Raises:
        NoSuchTag
    """
    at: Tag | None = None
    for name in path.split(","):
        wanted = sa.select(Tag).where(Tag.name == name.strip())
        wanted = wanted.where(Tag.parent_id.is_(None) if at is None else Tag.parent_id == at.id)
        at = (await session.execute(wanted)).scalar_one_or_none()
        if at is None:
            raise NoSuchTag(path)
    assert at is not None
    return at


async def create(session: AsyncSession, name: object, parent_id: object, now: dt.datetime) -> Tag:
    """Make a tag below ``parent_id``, a category when that is None.

    Raises:
        TagNameEmpty, TagNameInvalid, TagNameTaken, InvalidParentTag
    """
    await alone(session, "tags")
    parent = await _parent(session, parent_id)
    tag = Tag(name=_name(name), parent_id=parent, created_at=now, updated_at=now)
    await _check_free(session, tag)
    if depth(parent, await parents(session)) >= DEEPEST:
        raise InvalidParentTag(f"trees are at most {DEEPEST} tags deep")
    session.add(tag)
    await session.flush()
    return tag


async def change(session: AsyncSession, tag: Tag, given: Mapping[str, object], now: dt.datetime) -> None:
    """Rename a tag or put it elsewhere with all that is below it; what is not given stays.

    Content that has a tag of the moved tree gets the new ancestors; nothing may have what becomes a category.

    Raises:
        TagNameEmpty, TagNameInvalid, TagNameTaken, InvalidParentTag
    """
    await alone(session, "tags")
    name = tag.name if given.get("name") is None else _name(given["name"])
    parent = tag.parent_id if "parent_id" not in given else await _parent(session, given["parent_id"])
    if (name, parent) == (tag.name, tag.parent_id):
        return
    known = await parents(session)
    moved = subtree(tag.id, known)
    if parent in moved:
        raise InvalidParentTag("it is the tag itself or below it")
    if depth(parent, known) + max(depth(one, known) for one in moved) - depth(tag.parent_id, known) > DEEPEST:
        raise InvalidParentTag(f"trees are at most {DEEPEST} tags deep")
    await _check_free(session, Tag(id=tag.id, name=name, parent_id=parent))
    tag.name, tag.parent_id, tag.updated_at = name, parent, now
    await session.flush()
    await _settle(session, moved, await parents(session))


async def _settle(session: AsyncSession, moved: Collection[int], known: Parents) -> None:
    """Put right which tags content has after a tree was moved."""
    rows = await session.execute(sa.select(ItemTag.item_id, ItemTag.tag_id).where(ItemTag.tag_id.in_(moved)))
    for item_id, tag_id in rows.all():
        if known[tag_id] is None:
            await session.execute(sa.delete(ItemTag).where(ItemTag.item_id == item_id, ItemTag.tag_id == tag_id))
        else:
            await _add(session, item_id, [tag_id, *ancestors(tag_id, known)])


async def delete(session: AsyncSession, tag: Tag) -> None:
    """Delete a tag with all that is below it."""
    for tag_id in sorted(subtree(tag.id, await parents(session)), reverse=True):
        await session.execute(sa.delete(Tag).where(Tag.id == tag_id))


async def of_item(session: AsyncSession, item: Item) -> Sequence[Tag]:
    """Return an item's tags, oldest first."""
    return (await of_items(session, Item.id == item.id)).get(item.id, [])


async def of_items(session: AsyncSession, chosen: sa.ColumnElement[bool]) -> dict[int, list[Tag]]:
    """Return the tags of the items that the filter ``chosen`` lets through, oldest first, by the item's number.

    Those without any are left out.
    """
    found: dict[int, list[Tag]] = {}
    wanted = sa.select(ItemTag.item_id, Tag).join(Tag, Tag.id == ItemTag.tag_id).order_by(Tag.id)
    for item_id, tag in await session.execute(wanted.where(ItemTag.item_id.in_(sa.select(Item.id).where(chosen)))):
        found.setdefault(item_id, []).append(tag)
    return found


async def assign(session: AsyncSession, item: Item, tag: Tag) -> None:
    """Give the item a tag and its ancestors.

    Raises:
        CategoryNotAssignable
    """
    if tag.parent_id is None:
        raise CategoryNotAssignable(tag.name)
    await alone(session, f"item-tags/{item.id}")
    await _add(session, item.id, [tag.id, *ancestors(tag.id, await parents(session))])


async def _add(session: AsyncSession, item_id: int, tag_ids: Sequence[int]) -> None:
    for tag_id in tag_ids:
        if await session.get(ItemTag, (item_id, tag_id)) is None:
            session.add(ItemTag(item_id=item_id, tag_id=tag_id))
    await session.flush()


async def unassign(session: AsyncSession, item: Item, tag: Tag) -> None:
    """Take a tag and all below it away from the item; of a category, the whole tree. Doing it again is fine."""
    gone = subtree(tag.id, await parents(session))
    await session.execute(sa.delete(ItemTag).where(ItemTag.item_id == item.id, ItemTag.tag_id.in_(gone)))


def _name(name: object) -> str:
    if name is None or name == "" or (isinstance(name, str) and not name.strip()):
        raise TagNameEmpty
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not storable(name) or "," in name:
        raise TagNameInvalid
    return name.strip()


async def _parent(session: AsyncSession, parent_id: object) -> int | None:
    if parent_id is None or parent_id == "":
        return None
    try:
        return (await get(session, parent_id)).id
    except NoSuchTag as why:
        raise InvalidParentTag("there is none with that id") from why


async def _check_free(session: AsyncSession, tag: Tag) -> None:
    same = sa.select(Tag.id).where(Tag.name == tag.name)
    same = same.where(Tag.parent_id.is_(None) if tag.parent_id is None else Tag.parent_id == tag.parent_id)
    there = (await session.execute(same)).scalar_one_or_none()
    if there is not None and there != tag.id:
        raise TagNameTaken(tag.name)
