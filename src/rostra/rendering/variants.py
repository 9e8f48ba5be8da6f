"""Variants of a document: who they belong to, who sees them, their parameters. Nobody here commits."""

from __future__ import annotations

import datetime as dt
import json
import keyword
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.content import access
from rostra.content.access import Facts
from rostra.content.names import storable
from rostra.content.tables import Item, Rendering
from rostra.db.engine import alone
from rostra.errors import Conflict, Invalid, NotFound
from rostra.ids import new_key
from rostra.kinds.registry import ALL
from rostra.rendering.tables import ScheduleRow, Subscriber, Variant

PUBLIC, PRIVATE = "public", "private"
KEY_LENGTH = 8
FLAGS = ("email_collaborators", "email_viewers", "email_all")
LONGEST_NAME = 200
_LARGEST_PARAMETERS = 65_536
_DEEPEST = 32
_R_NAME = re.compile(r"[^\W\d][\w.-]{0,199}")


class NoSuchVariant(NotFound):
    code = "no-such-variant"

    def __init__(self, name: object) -> None:
        super().__init__(f"there is no variant {str(name)[:40]!r}", hint="List the content's variants.")


class NoSuchRendering(NotFound):
    code = "no-such-rendering"

    def __init__(self, rendering_id: object) -> None:
        super().__init__(f"there is no rendering {str(rendering_id)[:40]!r}", hint="List the variant's renderings.")


class BadVariant(Invalid):
    """``field`` is what cannot be used."""

    code = "bad-variant"

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(f"the variant's {field} is not usable: {why}", hint="Correct it and send it again.")


class PrivateMailsNobody(Invalid):
    code = "private-variant-mails-nobody"
    number = 93

    def __init__(self) -> None:
        super().__init__(
            "a private variant is mailed to nobody but its owner", hint="Make it public, or leave the mail flags out."
        )


class DefaultStays(Conflict):
    code = "default-variant-stays"

    def __init__(self) -> None:
        super().__init__(
            "the default variant is public and cannot be deleted", hint="Make another variant for what is private."
        )


def _is_python_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def may_see(who: Principal | None, facts: Facts, variant: Variant) -> bool:
    """Return whether its renderings are shown to them."""
    if variant.visibility == PRIVATE:
        return who is not None and who.user_id == variant.owner_id and access.may_view(who, facts)
    return access.may_view(who, facts)


def may_run(who: Principal | None, facts: Facts, variant: Variant) -> bool:
    """Return whether they may render, change and schedule it; a private one only its owner."""
    if not access.may_edit(who, facts):
        return False
    return variant.visibility == PUBLIC or (who is not None and who.user_id == variant.owner_id)


def renderings_of(variant: Variant | None) -> sa.ColumnElement[bool]:
    """Return the filter for one variant's renderings of an item; None is the default one."""
    if variant is None or variant.is_default:
        return Rendering.variant_id.is_(None)
    return Rendering.variant_id == variant.id


def may_open(may_edit: bool, rendering: Rendering) -> bool:
    """Return whether one rendering is shown to somebody who may see its variant: a draft only to those who edit."""
    return may_edit or rendering.shown


async def default(session: AsyncSession, item: Item, now: dt.datetime) -> Variant:
    """Return the item's default variant, made when there is none yet."""
    found = await find_default(session, item)
    if found is None:
        await alone(session, f"variants/{item.id}")
        found = await find_default(session, item)
    if found is None:
        found = _new(item, item.owner_id, "Default", now, is_default=True)
        session.add(found)
        await session.flush()
    return found


async def find_default(session: AsyncSession, item: Item) -> Variant | None:
    wanted = sa.select(Variant).where(Variant.item_id == item.id, Variant.is_default)
    return (await session.execute(wanted)).scalar_one_or_none()


async def of_item(session: AsyncSession, item: Item) -> Sequence[Variant]:
    """Return an item's variants, the default one first; none that were made for one look."""
    wanted = (
        sa.select(Variant)
        .where(Variant.item_id == item.id, Variant.ad_hoc.is_(False))
        .order_by(Variant.is_default.desc(), Variant.id)
    )
    return (await session.execute(wanted)).scalars().all()


async def get(session: AsyncSession, variant_id: int) -> tuple[Variant, Item]:
    """Return a variant and its item.

    Raises:
        NoSuchVariant
    """
    variant = await session.get(Variant, variant_id) if 0 < variant_id < 2**63 else None
    item = None if variant is None else await session.get(Item, variant.item_id)
    if variant is None or item is None or item.deleted_at is not None:
        raise NoSuchVariant(variant_id)
    return variant, item


async def keys(session: AsyncSession, item: Item) -> dict[int, str]:
    """Return the key of each of an item's variants by its number."""
    rows = await session.execute(sa.select(Variant.id, Variant.key).where(Variant.item_id == item.id))
    return dict(rows.all())


async def find_key(session: AsyncSession, item: Item, key: str) -> Variant | None:
    if not storable(key):  # the database would not even look
        return None
    wanted = sa.select(Variant).where(Variant.item_id == item.id, Variant.key == key)
    return (await session.execute(wanted)).scalar_one_or_none()


async def create(
    session: AsyncSession,
    item: Item,
    owner_id: int,
    given: Mapping[str, object],
    now: dt.datetime,
    *,
    ad_hoc: bool = False,
) -> Variant:
    """Add a variant from ``name``, ``visibility`` and ``parameters``.

    Raises:
        BadVariant
    """
    name, visibility = _name(given), _visibility(given, PRIVATE)
    parameters = checked_parameters(given, item)
    variant = _new(item, owner_id, name, now, visibility=visibility, parameters=parameters, ad_hoc=ad_hoc)
    session.add(variant)
    await session.flush()
    await change(session, item, variant, {name: given[name] for name in FLAGS if name in given})
    return variant


def _new(item: Item, owner_id: int, name: str, now: dt.datetime, **more: Any) -> Variant:
    usual = {
        "visibility": PUBLIC,
        "parameters": {},
        "is_default": False,
        "ad_hoc": False,
        **dict.fromkeys(FLAGS, False),
    }
    return Variant(
        item_id=item.id, key=new_key(KEY_LENGTH), name=name, owner_id=owner_id, created_at=now, **{**usual, **more}
    )


async def change(session: AsyncSession, item: Item, variant: Variant, given: Mapping[str, object]) -> None:
    """Change what was sent; unknown fields are left alone. ``ad_hoc`` false keeps what was made for one look.

    Raises:
        BadVariant, DefaultStays, PrivateMailsNobody
    """
    if "name" in given:
        variant.name = _name(given)
    if "parameters" in given:
        variant.parameters = checked_parameters(given, item)
    for flag in FLAGS:
        if flag in given:
            if not isinstance(given[flag], bool):
                raise BadVariant(flag, "true or false is needed")
            setattr(variant, flag, given[flag])
    if given.get("ad_hoc", variant.ad_hoc) is not variant.ad_hoc:
        if not variant.ad_hoc:
            raise BadVariant("ad_hoc", "a variant that is kept stays so")
        variant.ad_hoc = False
    variant.visibility = _visibility(given, variant.visibility)
    if variant.ad_hoc and variant.visibility != PRIVATE:
        raise BadVariant("visibility", "what is made for one look is private until it is kept")
    if variant.visibility == PRIVATE:
        if variant.is_default:
            raise DefaultStays
        if variant.email_collaborators or variant.email_viewers or variant.email_all:
            raise PrivateMailsNobody
    await session.flush()


async def delete(session: AsyncSession, variant: Variant) -> list[str]:
    """Remove a variant with its schedule, readers and renderings; return the folders to remove after the commit.

    Raises:
        DefaultStays
    """
    if variant.is_default:
        raise DefaultStays
    mine = Rendering.variant_id == variant.id
    folders = list((await session.execute(sa.select(Rendering.path).where(mine))).scalars())
    await session.execute(sa.delete(Rendering).where(mine))
    for table in (Subscriber, ScheduleRow):
        await session.execute(sa.delete(table).where(table.variant_id == variant.id))
    await session.execute(sa.delete(Variant).where(Variant.id == variant.id))
    return folders


async def latest(session: AsyncSession, item_id: int, variant: Variant | None) -> Rendering | None:
    """Return the rendering that is shown now."""
    wanted = sa.select(Rendering).where(Rendering.item_id == item_id, renderings_of(variant), Rendering.active)
    return (await session.execute(wanted.order_by(Rendering.id.desc()).limit(1))).scalar_one_or_none()


async def history_of_default(session: AsyncSession, item_id: int, most: int) -> Sequence[Rendering]:
    """Return the newest renderings of an item's default variant, which need not have been made yet."""
    wanted = sa.select(Rendering).where(Rendering.item_id == item_id, renderings_of(None))
    return (await session.execute(wanted.order_by(Rendering.id.desc()).limit(most))).scalars().all()


async def history(session: AsyncSession, variant: Variant) -> Sequence[Rendering]:
    """Return all kept renderings of a variant, the newest first."""
    wanted = sa.select(Rendering).where(Rendering.item_id == variant.item_id, renderings_of(variant))
    return (await session.execute(wanted.order_by(Rendering.id.desc()))).scalars().all()


def _good(value: object, depth: int = 0) -> bool:
    """Say whether databases and programs can hold a value that came as JSON."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return depth < _DEEPEST and all(storable(key) and _good(one, depth + 1) for key, one in value.items())
    if isinstance(value, list):
        return depth < _DEEPEST and all(_good(one, depth + 1) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


def _name(given: Mapping[str, object]) -> str:
    name = given.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not storable(name):
        raise BadVariant("name", f"1 to {LONGEST_NAME} characters are needed")
    return name.strip()


def _visibility(given: Mapping[str, object], default: str) -> str:
    visibility = given.get("visibility", default)
    if visibility not in (PUBLIC, PRIVATE):
        raise BadVariant("visibility", "it is public or private")
    return str(visibility)


def checked_parameters(given: Mapping[str, object], item: Item) -> dict[str, Any]:
    """Return ``parameters`` of what was sent. R's names may have points in them, Python's not.

    Raises:
        BadVariant
    """
    kind = ALL.get(item.kind)  # none before the first deploy
    parameters = given.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadVariant("parameters", "an object of names and values is needed")
    for name in parameters:
        good = _is_python_name(name) if kind is None or kind.python else _R_NAME.fullmatch(name) is not None
        if not good:
            raise BadVariant("parameters", f"{name[:40]!r} is not the name of a variable")
    if not _good(parameters):
        raise BadVariant("parameters", f"a text has letters nothing can hold, or lists are more than {_DEEPEST} deep")
    if len(json.dumps(parameters)) > _LARGEST_PARAMETERS:
        raise BadVariant("parameters", f"together they are longer than {_LARGEST_PARAMETERS} characters")
    return parameters
