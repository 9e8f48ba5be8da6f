"""Who hears of a document's renderings: subscribers, and whom the mail flags name. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role, Via
from rostra.auth.tables import Membership, User
from rostra.content import access, permissions
from rostra.content.access import Grant
from rostra.content.tables import Item, Permission
from rostra.db.engine import alone
from rostra.errors import Invalid
from rostra.rendering.tables import FailureSubscriber, Subscriber, Variant
from rostra.rendering.variants import PRIVATE, PrivateMailsNobody


class BadAudience(Invalid):
    code = "bad-audience"

    def __init__(self, to: str) -> None:
        super().__init__(
            f"{to[:40]!r} is not whom a report can be sent to", hint="Write me, collaborators or collaborators_viewers."
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with an address. ``may_edit``: they may also read logs."""

    user: User
    may_edit: bool


async def readers(session: AsyncSession, item: Item, variant: Variant, *, scheduled: bool = True) -> list[Reader]:
    """Return whom a report is mailed to: its owner, whom the variant's flags name, and its subscribers.

    Only people who may see the variant now, are not locked and have an address; each once, by id.
    """
    wanted = {variant.owner_id if variant.visibility == PRIVATE else item.owner_id}
    if variant.visibility != PRIVATE and scheduled:
        wanted |= await _flagged(session, item, variant)
        wanted |= {user.id for user in await subscribers(session, Subscriber, variant.id)}
    return await _allowed(session, item, wanted)


async def watchers(session: AsyncSession, item: Item, variant: Variant) -> list[Reader]:
    """Return who hears of a failed rendering: the owner and those who asked for it."""
    if variant.visibility == PRIVATE:
        return await _allowed(session, item, {variant.owner_id})
    return await watchers_of_item(session, item)


async def watchers_of_item(session: AsyncSession, item: Item) -> list[Reader]:
    """Return who hears of failures of an item as a whole."""
    asked = {user.id for user in await subscribers(session, FailureSubscriber, item.id)}
    return await _allowed(session, item, {item.owner_id} | asked)


async def asked_for(session: AsyncSession, item: Item, variant: Variant, to: str, user_id: int) -> list[Reader]:
    """Return whom "send now" means: ``me``, ``collaborators`` or ``collaborators_viewers``.

    Raises:
        BadAudience
        PrivateMailsNobody
    """
    check_audience(variant, to)
    if to == "me":
        return await _allowed(session, item, {user_id})
    viewers = to == "collaborators_viewers"
    return await _allowed(
        session, item, {item.owner_id} | await named(session, item, collaborators=True, viewers=viewers)
    )


def check_audience(variant: Variant, to: str) -> None:
    """Raises: BadAudience, PrivateMailsNobody."""
    if to not in ("me", "collaborators", "collaborators_viewers"):
        raise BadAudience(to)
    if variant.visibility == PRIVATE and to != "me":
        raise PrivateMailsNobody


async def named(session: AsyncSession, item: Item, *, collaborators: bool, viewers: bool) -> set[int]:
    """Return the ids of those who were given a permission, themselves or by a group."""
    roles = [Grant.owner.value] * collaborators + [Grant.viewer.value] * viewers
    given = (Permission.item_id == item.id, Permission.role.in_(roles))
    people = sa.select(Permission.user_id).where(*given, Permission.user_id.is_not(None))
    by_group = sa.select(Membership.user_id).join(Permission, Permission.group_id == Membership.group_id).where(*given)
    return {user_id for user_id in (await session.execute(people.union(by_group))).scalars() if user_id is not None}


async def _flagged(session: AsyncSession, item: Item, variant: Variant) -> set[int]:
    collaborators = variant.email_collaborators or variant.email_all
    return await named(session, item, collaborators=collaborators, viewers=variant.email_viewers or variant.email_all)


async def _allowed(session: AsyncSession, item: Item, user_ids: set[int]) -> list[Reader]:
    found = []
    for user_id in sorted(user_ids):
        user = await session.get(User, user_id)
        if user is None or user.locked or not user.email:
            continue
        facts = await permissions.facts(session, item, _principal(user))
        if access.may_know(_principal(user), facts):
            found.append(Reader(user, access.may_edit(_principal(user), facts)))
    return found


def _principal(user: User) -> Principal:
    return Principal(user_id=user.id, guid=user.guid, username=user.username, role=Role(user.role), via=Via.session)


async def subscribers(session: AsyncSession, table: Any, subject_id: int) -> Sequence[User]:
    """Return the people of `Subscriber` (of a variant) or `FailureSubscriber` (of an item)."""
    wanted = sa.select(User).join(table, table.user_id == User.id).where(_subject(table) == subject_id)
    return (await session.execute(wanted.order_by(User.id))).scalars().all()


async def subscribe(session: AsyncSession, table: Any, subject_id: int, user_id: int) -> None:
    """Add a person; one who is there already stays."""
    await alone(session, f"{table.__tablename__}/{subject_id}")
    there = sa.select(table.user_id).where(_subject(table) == subject_id, table.user_id == user_id)
    if (await session.execute(there)).first() is None:
        session.add(table(**{_subject(table).key: subject_id, "user_id": user_id}))
        await session.flush()


async def unsubscribe(session: AsyncSession, table: Any, subject_id: int, user_id: int) -> None:
    await session.execute(sa.delete(table).where(_subject(table) == subject_id, table.user_id == user_id))


def _subject(table: Any) -> Any:
    return table.item_id if table is FailureSubscriber else table.variant_id
