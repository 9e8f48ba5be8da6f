"""Items: making, finding, changing and deleting them.

Re-publishing changes none of what is set here. Deleting marks the row first; files and row go afterwards, so that a
crash in between is finished at the next start. Nobody here commits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role
from rostra.auth.tables import User
from rostra.content import disk, fields
from rostra.content.access import visible_to
from rostra.content.errors import (
    CategoryChanged,
    ContentLocked,
    InvalidOwner,
    ItemNotFound,
    KindChanged,
    NameTaken,
)
from rostra.content.limits import Ceilings, check_together
from rostra.content.names import generated_item_name
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item, Permission, Rendering
from rostra.db.engine import Sessions, alone, transaction
from rostra.ids import new_guid

UNKNOWN = "unknown"  # the kind of an item before its first deploy
_MCP = "mcp"


async def create(
    session: AsyncSession, owner_id: int, given: Mapping[str, object], *, now: dt.datetime, ceilings: Ceilings
) -> Item:
    """Make an item from the fields a client sent (see `fields`). Without a name, or with ``""``, it gets one.

    Raises:
        NameTaken: the owner has an item of that name.
        Invalid: a subclass that says which field.
    """
    changes = fields.check(given)
    name = changes.pop("name", None) or generated_item_name()
    await _free(session, owner_id, name)
    item = Item(
        guid=new_guid(),
        owner_id=owner_id,
        name=name,
        title=None,
        description="",
        kind=UNKNOWN,
        content_category="",
        access_type="acl",
        locked=False,
        locked_message="",
        settings={},
        created_at=now,
        updated_at=now,
    )
    fields.apply(item, changes)
    check_together(fields.limits_of(item), ceilings)
    session.add(item)
    await session.flush()
    return item


async def change(
    session: AsyncSession, item: Item, given: Mapping[str, object], *, now: dt.datetime, ceilings: Ceilings
) -> None:
    """Change the fields a client sent; an empty name leaves the name alone, ``{}`` changes nothing.

    Raises:
        NameTaken, CategoryChanged
        Invalid: a subclass that says which field. Nothing was changed.
    """
    changes = fields.check(given)
    if changes.get("name", item.name) in (None, "", item.name):
        changes.pop("name", None)
    else:
        await _free(session, item.owner_id, changes["name"])
    category = changes.get("content_category", item.content_category)
    if item.kind != UNKNOWN and category != item.content_category and _MCP not in (category, item.content_category):
        raise CategoryChanged
    check_together(fields.limits_of(item) | {k: v for k, v in changes.items() if k in fields.LIMITS}, ceilings)
    fields.apply(item, changes)
    if changes.keys() - {"locked", "locked_message"}:  # locking is not an edit: clients compare this time
        item.updated_at = now
    await session.flush()


async def get(session: AsyncSession, guid: str) -> Item:
    """Raises: ItemNotFound, also for a deleted one. Says nothing about access."""
    item = await find(session, guid)
    if item is None:
        raise ItemNotFound(guid)
    return item


async def find(session: AsyncSession, guid: str) -> Item | None:
    wanted = sa.select(Item).where(Item.guid == guid.lower(), Item.deleted_at.is_(None))
    return (await session.execute(wanted)).scalar_one_or_none()


async def by_number(session: AsyncSession, number: int) -> Item:
    """Return the item older clients know by this number.

    Raises:
        ItemNotFound
    """
    item = await session.get(Item, number) if 0 < number < 2**63 else None
    if item is None or item.deleted_at is not None:
        raise ItemNotFound(number)
    return item


async def listing(
    session: AsyncSession, who: Principal | None, *, name: str | None = None, owner_guid: str | None = None
) -> Sequence[Item]:
    """Return what `listed` chooses."""
    return list(await session.scalars(listed(sa.select(Item), who, name=name, owner_guid=owner_guid)))


def listed(
    wanted: sa.Select[Any], who: Principal | None, *, name: str | None = None, owner_guid: str | None = None
) -> sa.Select[Any]:
    """Return ``wanted`` of what this person may know of, last deployed (or else made) first.

    ``name`` is compared exactly.
    """
    wanted = wanted.where(visible_to(who))
    if name is not None:
        wanted = wanted.where(Item.name == name)
    if owner_guid is not None:
        wanted = wanted.where(Item.owner_id.in_(sa.select(User.id).where(User.guid == owner_guid)))
    newest = sa.func.coalesce(Item.deployed_at, Item.created_at)
    return wanted.order_by(newest.desc(), Item.id.desc())


async def transfer(session: AsyncSession, item: Item, new_owner: User, now: dt.datetime) -> None:
    """Give the item to another owner. The old one keeps nothing, unless they are given a permission afterwards.

    Raises:
        InvalidOwner: they are a viewer, or locked.
        NameTaken: they have an item of that name.
    """
    if new_owner.id == item.owner_id:
        return
    if not Role(new_owner.role).at_least(Role.publisher):
        raise InvalidOwner("they are only a viewer")
    if new_owner.locked:
        raise InvalidOwner("their account is locked")
    await _free(session, new_owner.id, item.name)
    await session.execute(
        sa.delete(Permission).where(Permission.item_id == item.id, Permission.user_id == new_owner.id)
    )
    item.owner_id, item.updated_at = new_owner.id, now
    await session.flush()


def check_kind(item: Item, kind: str) -> None:
    """Raises: KindChanged when the item is of another kind since its first deploy."""
    if item.kind not in (UNKNOWN, kind):
        raise KindChanged(item.kind, kind)


def check_unlocked(item: Item) -> None:
    """Raises: ContentLocked."""
    if item.locked:
        raise ContentLocked


async def make_live(session: AsyncSession, item_id: int, bundle: Bundle, now: dt.datetime) -> None:
    """Make ``bundle`` what visitors get. The first one fixes the item's kind and category.

    Raises:
        ItemNotFound: it was deleted meanwhile.
        KindChanged
    """
    item = await by_number(session, item_id)
    check_kind(item, bundle.kind)
    if item.kind == UNKNOWN:
        item.content_category = _category(bundle) or item.content_category
    item.kind, item.live_bundle_id, item.deployed_at = bundle.kind, bundle.id, now
    item.settings = {**item.settings, "parameterized": _parameterized(bundle)}
    await session.flush()


async def add_rendering(session: AsyncSession, rendering: Rendering, *, active: bool) -> None:
    """Keep a rendering; an active one takes the place of the one its variant showed before."""
    if active:
        await session.execute(
            sa.update(Rendering)
            .where(
                Rendering.item_id == rendering.item_id,
                Rendering.variant_id.is_not_distinct_from(rendering.variant_id),
                Rendering.active,
            )
            .values(active=False)
        )
    rendering.active = rendering.shown = active
    session.add(rendering)
    await session.flush()


async def delete(session: AsyncSession, item: Item, now: dt.datetime) -> None:
    """Make the item unreachable; its vanity path and its name are free at once. Then call `purge`."""
    item.deleted_at, item.vanity_path, item.vanity_at = now, None, None
    await session.flush()


async def purge(sessions: Sessions, places: Places, *, only: str | None = None) -> list[str]:
    """Remove the files, then the rows, of all deleted items (or ``only`` of one); return a sentence for each.

    Their processes must have ended. Can be repeated at any point.
    """
    wanted = sa.select(Item.id, Item.guid, Item.name).where(Item.deleted_at.is_not(None))
    if only is not None:
        wanted = wanted.where(Item.guid == only)
    async with transaction(sessions) as session:
        gone = (await session.execute(wanted)).all()
    said = []
    for number, guid, name in gone:
        await disk.remove_all(
            (places.bundles(guid), places.app(guid, 0).parent, places.renderings(guid), places.log(guid, "").parent)
        )
        async with transaction(sessions) as session:
            await session.execute(sa.delete(Item).where(Item.id == number))
        said.append(f"Removed everything of the deleted content {name} ({guid}).")
    return said


def _parameterized(bundle: Bundle) -> bool:
    """Return whether clients are told that it takes parameters; the wire has that of R Markdown only."""
    metadata: Any = bundle.manifest.get("metadata") or {}
    return bundle.kind == "rmd-static" and metadata.get("has_parameters") is True


def _category(bundle: Bundle) -> str:
    metadata: Any = bundle.manifest.get("metadata") or {}
    return str(metadata.get("content_category") or "")


async def _free(session: AsyncSession, owner_id: int, name: str) -> None:
    """Raises: NameTaken. Until this transaction ends nobody else can take the name."""
    await alone(session, f"item-names/{owner_id}")
    taken = sa.select(Item.id).where(Item.owner_id == owner_id, Item.name == name, Item.deleted_at.is_(None))
    if (await session.execute(taken)).first() is not None:
        raise NameTaken(name)
