"""Groups: people who are given permissions together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import Group, Membership, User
from rostra.db.engine import alone
from rostra.errors import Conflict, Forbidden, Invalid, NotFound
from rostra.ids import new_guid

LONGEST_NAME = 255
T = TypeVar("T")


class NoSuchGroup(NotFound):
    code = "no-such-group"

    def __init__(self, guid: str) -> None:
        super().__init__(f"there is no group {guid[:80]!r}", hint="List the groups to find the right one.")


class GroupNameInvalid(Invalid):
    code = "group-name-invalid"
    number = 14

    def __init__(self) -> None:
        super().__init__(
            f"a group needs a name of 1 to {LONGEST_NAME} printable characters", hint="Name it after its people."
        )


class GroupNameTaken(Conflict):
    code = "group-name-taken"
    number = 15

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is already a group called {name[:80]!r}", hint="Choose another name.")


class MemberAlready(Conflict):
    code = "member-already"
    number = 16

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} is in this group already", hint="Nothing needs to be done.")


class NotAMember(NotFound):
    code = "not-a-member"
    number = 17

    def __init__(self) -> None:
        super().__init__("that person is not in this group", hint="List its members.")


class NotYourGroup(Forbidden):
    code = "not-your-group"

    def __init__(self) -> None:
        super().__init__("this group is another person's", hint="Ask its owner or an administrator.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list. ``total`` counts the whole list."""

    rows: Sequence[T]
    total: int


def check_may_change(who: Principal, group: Group) -> None:
    """Raises: NotYourGroup unless they made it, with a key that is no mere viewer's, or are an administrator."""
    if not who.is_administrator and not (who.may_publish and group.owner_id == who.user_id):
        raise NotYourGroup


async def create(session: AsyncSession, name: object, owner_id: int, now: dt.datetime) -> Group:
    """Make an empty group.

    Raises:
        GroupNameInvalid
        GroupNameTaken: also when it differs only in case.
    """
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise GroupNameInvalid
    folded = name.strip().lower()
    await alone(session, "groups")
    if (await session.execute(sa.select(Group.id).where(Group.folded == folded))).first() is not None:
        raise GroupNameTaken(name)
    group = Group(guid=new_guid(), name=name.strip(), folded=folded, owner_id=owner_id, created_at=now)
    session.add(group)
    await session.flush()
    return group


async def by_guid(session: AsyncSession, guid: str) -> Group:
    """Raises: NoSuchGroup."""
    group = (await session.execute(sa.select(Group).where(Group.guid == guid.lower()))).scalar_one_or_none()
    if group is None:
        raise NoSuchGroup(guid)
    return group


async def find(
    session: AsyncSession,
    *,
    prefix: str = "",
    among: sa.ColumnElement[bool] | None = None,
    page: int = 1,
    size: int = 500,
) -> Page[Group]:
    """Return page ``page`` (from 1) of the groups whose name begins with ``prefix``, case ignored, by name.

    ``among``: only those this filter lets through.
    """
    wanted = sa.select(Group) if among is None else sa.select(Group).where(among)
    if prefix:
        wanted = wanted.where(Group.folded.startswith(prefix.lower(), autoescape=True))
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    rows = await session.execute(wanted.order_by(Group.folded).limit(size).offset((page - 1) * size))
    return Page(rows=rows.scalars().all(), total=total)


async def members(
    session: AsyncSession, group: Group, *, only: int | None = None, page: int = 1, size: int = 500
) -> Page[User]:
    """Return page ``page`` (from 1) of a group's people, oldest account first; ``only`` as for `users.find`."""
    wanted = sa.select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == group.id)
    if only is not None:
        wanted = wanted.where(User.id == only)
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    rows = await session.execute(wanted.order_by(User.id).limit(size).offset((page - 1) * size))
    return Page(rows=rows.scalars().all(), total=total)


async def is_member(session: AsyncSession, group: Group, user_id: int) -> bool:
    return await session.get(Membership, (group.id, user_id)) is not None


async def add_member(session: AsyncSession, group: Group, user: User) -> None:
    """Raises: MemberAlready."""
    await alone(session, f"members/{group.id}")
    if await session.get(Membership, (group.id, user.id)) is not None:
        raise MemberAlready(user.username)
    session.add(Membership(group_id=group.id, user_id=user.id))
    await session.flush()


async def remove_member(session: AsyncSession, group: Group, user: User) -> None:
    """Raises: NotAMember."""
    there = await session.get(Membership, (group.id, user.id))
    if there is None:
        raise NotAMember
    await session.delete(there)
    await session.flush()


async def names_of_user(session: AsyncSession, user_id: int) -> Sequence[str]:
    """Return the names of the groups a person is in, by name."""
    wanted = sa.select(Group.name).join(Membership, Membership.group_id == Group.id)
    rows = await session.execute(wanted.where(Membership.user_id == user_id).order_by(Group.folded))
    return rows.scalars().all()


async def owner_guids(session: AsyncSession, groups: Sequence[Group]) -> dict[int, str]:
    """Return the guid of each owner that is known, by id."""
    ids = {group.owner_id for group in groups if group.owner_id is not None}
    rows = await session.execute(sa.select(User.id, User.guid).where(User.id.in_(ids)))
    return {row.id: row.guid for row in rows}
