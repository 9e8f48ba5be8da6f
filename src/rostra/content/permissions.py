"""Who was given what on an item: people and groups. The owner has every right without a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role
from rostra.auth.tables import Group, User
from rostra.content.access import Access, Facts, Grant, given_to, strongest
from rostra.content.errors import (
    GroupNotFound,
    InvalidCollaborator,
    InvalidPermissionRole,
    InvalidPrincipalType,
    OwnerNeedsNoPermission,
    PermissionNotFound,
    PrincipalNotFound,
)
from rostra.content.tables import Item, Permission
from rostra.db.engine import alone


class Kind(StrEnum):
    """Who can be given a permission, in the wire's words."""

    user = "user"
    group = "group"


@dataclass(frozen=True, slots=True)
class Granted:
    """One permission and whose it is; ``name`` is the username or the group's name."""

    id: int
    kind: Kind
    guid: str
    name: str
    role: Grant

    @property
    def user_guid(self) -> str:
        """The guid of whoever it is; a group's too."""
        return self.guid


async def facts(session: AsyncSession, item: Item, who: Principal | None) -> Facts:
    """Return what `access` decides by, for this person."""
    grant = None
    if who is not None:
        wanted = sa.select(Permission.role).where(Permission.item_id == item.id, given_to(who.user_id))
        grant = strongest((await session.execute(wanted)).scalars())
    return Facts(Access(item.access_type), item.owner_id, grant)


async def listing(session: AsyncSession, item: Item) -> Sequence[Granted]:
    """Return all of an item's permissions, oldest first. The owner is not among them."""
    rows = await session.execute(_granted(item).order_by(Permission.id))
    return [_read(row) for row in rows]


async def get(session: AsyncSession, item: Item, permission_id: int) -> Granted:
    """Raises: PermissionNotFound, also when it is another item's."""
    row = (await session.execute(_granted(item).where(Permission.id == permission_id))).one_or_none()
    if row is None:
        raise PermissionNotFound(permission_id)
    return _read(row)


async def give(
    session: AsyncSession, item: Item, guid: object, role: object, *, principal_type: object = "user"
) -> tuple[Granted, bool]:
    """Give or change the permission of a person or group; the second value is True when they had none before.

    Raises:
        InvalidPrincipalType, InvalidPermissionRole, PrincipalNotFound
        OwnerNeedsNoPermission: they own the item.
        InvalidCollaborator: they are only a viewer on this server.
    """
    if principal_type not in tuple(Kind):
        raise InvalidPrincipalType(principal_type)
    if role not in tuple(Grant):
        raise InvalidPermissionRole(role)
    grant, kind = Grant(str(role)), Kind(str(principal_type))
    taker = await _user(session, guid) if kind is Kind.user else await _group(session, guid)
    if isinstance(taker, User):
        _check_person(taker, item, grant)
    await alone(session, f"permissions/{item.id}")
    there = (await session.execute(_of(item, taker))).scalar_one_or_none()
    permission = there or _made(item, taker)
    permission.role = grant.value
    session.add(permission)
    await session.flush()
    name = taker.username if isinstance(taker, User) else taker.name
    return Granted(permission.id, kind, taker.guid, name, grant), there is None


def _check_person(user: User, item: Item, grant: Grant) -> None:
    if user.id == item.owner_id:
        raise OwnerNeedsNoPermission
    if grant is Grant.owner and not Role(user.role).at_least(Role.publisher):
        raise InvalidCollaborator


def _made(item: Item, taker: User | Group) -> Permission:
    if isinstance(taker, User):
        return Permission(item_id=item.id, user_id=taker.id)
    return Permission(item_id=item.id, group_id=taker.id)


async def change(
    session: AsyncSession,
    item: Item,
    permission_id: int,
    *,
    user_guid: object,
    role: object,
    principal_type: object = "user",
) -> Granted:
    """Change the role of one permission. Who it is for stays as it is: naming somebody else is an error.

    Raises:
        PermissionNotFound, and what `give` raises.
    """
    there = await get(session, item, permission_id)
    if (user_guid, principal_type) != (there.guid, there.kind):
        raise PermissionNotFound(permission_id)
    return (await give(session, item, user_guid, role, principal_type=principal_type))[0]


async def take(session: AsyncSession, item: Item, permission_id: int) -> None:
    """Raises: PermissionNotFound."""
    there = await get(session, item, permission_id)
    await session.execute(sa.delete(Permission).where(Permission.id == there.id))


def _granted(item: Item) -> sa.Select[int, str | None, str | None, str | None, str | None, str]:
    wanted = sa.select(Permission.id, User.guid, User.username, Group.guid, Group.name, Permission.role)
    wanted = wanted.select_from(Permission).outerjoin(User, User.id == Permission.user_id)
    return wanted.outerjoin(Group, Group.id == Permission.group_id).where(Permission.item_id == item.id)


def _read(row: sa.Row[int, str | None, str | None, str | None, str | None, str]) -> Granted:
    number, user, username, group, group_name, role = row
    kind = Kind.user if user is not None else Kind.group
    return Granted(number, kind, user or group or "", username or group_name or "", Grant(role))


def _of(item: Item, taker: User | Group) -> sa.Select[Permission]:
    column = Permission.user_id if isinstance(taker, User) else Permission.group_id
    return sa.select(Permission).where(Permission.item_id == item.id, column == taker.id)


async def _user(session: AsyncSession, guid: object) -> User:
    found = None
    if isinstance(guid, str):
        found = (await session.execute(sa.select(User).where(User.guid == guid))).scalar_one_or_none()
    if found is None:
        raise PrincipalNotFound(guid)
    return found


async def _group(session: AsyncSession, guid: object) -> Group:
    found = None
    if isinstance(guid, str):
        found = (await session.execute(sa.select(Group).where(Group.guid == guid))).scalar_one_or_none()
    if found is None:
        raise GroupNotFound(guid)
    return found
