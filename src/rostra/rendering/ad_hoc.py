"""Variants made for one look: a document with values of somebody's own. Nobody here commits.

They are private, in no list but their owner's, have no schedule, and are removed after a while with their renderings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.content import access
from rostra.content.access import Facts
from rostra.content.tables import Item, Job
from rostra.db.engine import alone
from rostra.errors import Conflict
from rostra.rendering import variants
from rostra.rendering.parameters_declared import Parameter
from rostra.rendering.tables import Variant
from rostra.rendering.variants import PRIVATE, BadVariant, checked_parameters

MOST_AT_ONCE = 3  # of one person: what waits of an item's renderings is made one after the other
_KEPT = 20  # of one person and item
_LONGEST_NAME = 200


class TooManyAtOnce(Conflict):
    code = "too-many-renderings-at-once"

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_AT_ONCE} renderings with values of yours are still being made",
            hint="Wait until one of them is done.",
        )


def may_ask(who: Principal | None, facts: Facts, *, viewers: bool) -> bool:
    """Return whether they may have the document rendered for themselves; ``viewers``: whoever may see it."""
    if who is None:
        return False
    return access.may_edit(who, facts) or (viewers and access.may_view(who, facts))


def check_names(declared: Sequence[Parameter], given: Mapping[str, Any]) -> None:
    """Raises: BadVariant: the document says which parameters it has, and this is none of them."""
    names = [one.name for one in declared]
    for name in given:
        if names and name not in names:
            raise BadVariant("parameters", f"the document has no {name[:40]!r}, but {', '.join(names)[:400]}")


async def create(
    session: AsyncSession,
    item: Item,
    base: Variant,
    who: Principal,
    *,
    given: Mapping[str, Any],
    declared: Sequence[Parameter] = (),
    now: dt.datetime,
) -> tuple[Variant, list[str]]:
    """Add one with the values of ``base`` and those given; return the folders of older ones to remove, too.

    Raises:
        BadVariant, TooManyAtOnce
    """
    mine = (Variant.item_id == item.id, Variant.owner_id == who.user_id, Variant.ad_hoc)
    await alone(session, f"ad-hoc/{who.user_id}")  # of all items: that is what is counted
    if len(await _unfinished(session, who.user_id)) >= MOST_AT_ONCE:
        raise TooManyAtOnce
    values = checked_parameters({"parameters": {**base.parameters, **given}}, item)
    hidden = frozenset(one.name for one in declared if one.input == "password")
    wanted = {"name": name_for(given, hidden), "visibility": PRIVATE, "parameters": values}
    variant = await variants.create(session, item, who.user_id, wanted, now, ad_hoc=True)
    older = sa.select(Variant).where(*mine).order_by(Variant.id.desc()).offset(_KEPT)
    return variant, await _remove(session, (await session.execute(older)).scalars().all())


def name_for(given: Mapping[str, Any], hidden: Collection[str] = ()) -> str:
    """Return what it is called: its values, but for those that are ``hidden``."""
    said = ", ".join(f"{name}: {'…' if name in hidden else value}" for name, value in given.items())
    said = " ".join(said.split()) or "As it is"
    return said if len(said) <= _LONGEST_NAME else said[: _LONGEST_NAME - 1] + "…"


async def of_person(session: AsyncSession, item: Item, user_id: int) -> Sequence[Variant]:
    """Return those a person made of an item, the newest first."""
    wanted = sa.select(Variant).where(Variant.item_id == item.id, Variant.owner_id == user_id, Variant.ad_hoc)
    return (await session.execute(wanted.order_by(Variant.id.desc()))).scalars().all()


async def expire(session: AsyncSession, before: dt.datetime) -> list[str]:
    """Remove those made before a moment that are not being made still; return the folders to remove."""
    wanted = sa.select(Variant).where(Variant.ad_hoc, Variant.created_at < before).order_by(Variant.id).limit(500)
    return await _remove(session, (await session.execute(wanted)).scalars().all())


async def _remove(session: AsyncSession, found: Sequence[Variant]) -> list[str]:
    busy = await _unfinished(session, *{one.owner_id for one in found}) if found else set()
    folders: list[str] = []
    for variant in found:
        if variant.id not in busy:
            folders += await variants.delete(session, variant)
    return folders


async def _unfinished(session: AsyncSession, *owners: int) -> set[int]:
    """Return the ids of these people's that wait or are being made."""
    wanted = sa.select(Variant.id).join(Job, Job.variant_id == Variant.id)
    wanted = wanted.where(Variant.ad_hoc, Variant.owner_id.in_(owners), Job.ended_at.is_(None))
    return set((await session.execute(wanted)).scalars())
