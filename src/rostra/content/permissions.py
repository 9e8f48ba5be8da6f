"""Who was given what on an item. The owner has every right without a row; groups come with their own issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role
from rostra.auth.tables import User
from rostra.content.access import Access, Facts, Grant
from rostra.content.errors import (
    InvalidCollaborator,
    InvalidPermissionRole,
    InvalidPrincipalType,
    OwnerNeedsNoPermission,
    PermissionNotFound,
    PrincipalNotFound,
)
from rostra.content.tables import Item, Permission
from rostra.db.engine import alone


@dataclass(frozen=True, slots=True)
class Granted:
    """One permission and whose it is."""

    id: int
    user_guid: str
    role: Grant


async def facts(session: AsyncSession, item: Item, who: Principal | None) -> Facts:
    """Return what `access` decides by, for this person."""
    grant = None
    if who is not None:
        wanted = sa.select(Permission.role).where(Permission.item_id == item.id, Permission.user_id == who.user_id)
        grant = (await session.execute(wanted)).scalar_one_or_none()
    return Facts(Access(item.access_type), item.owner_id, Grant(grant) if grant else None)


async def listing(session: AsyncSession, item: Item) -> Sequence[Granted]:
    """Return all of an item's permissions, oldest first. The owner is not among them."""
    rows = await session.execute(_granted(item).order_by(Permission.id))
    return [Granted(number, guid, Grant(role)) for number, guid, role in rows]


async def get(session: AsyncSession, item: Item, permission_id: int) -> Granted:
    """Raises: PermissionNotFound, also when it is another item's."""
    row = (await session.execute(_granted(item).where(Permission.id == permission_id))).one_or_none()
    if row is None:
        raise PermissionNotFound(permission_id)
    return Granted(row[0], row[1], Grant(row[2]))


async def give(
    session: AsyncSession, item: Item, user_guid: object, role: object, *, principal_type: object = "user"
) -> tuple[Granted, bool]:
    """Give or change one person's permission; the second value is True when they had none before.

    Raises:
        InvalidPrincipalType, InvalidPermissionRole, PrincipalNotFound
        OwnerNeedsNoPermission: they own the item.
        InvalidCollaborator: they are only a viewer on this server.
    """
    if principal_type != "user":
        raise InvalidPrincipalType(principal_type)
    if role not in tuple(Grant):
        raise InvalidPermissionRole(role)
    grant, user = Grant(str(role)), await _user(session, user_guid)
    if user.id == item.owner_id:
        raise OwnerNeedsNoPermission
    if grant is Grant.owner and not Role(user.role).at_least(Role.publisher):
        raise InvalidCollaborator
    await alone(session, f"permissions/{item.id}")
    there = (await session.execute(_of(item, user.id))).scalar_one_or_none()
    permission = there or Permission(item_id=item.id, user_id=user.id)
    permission.role = grant.value
    session.add(permission)
    await session.flush()
    return Granted(permission.id, user.guid, grant), there is None


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
    if user_guid != there.user_guid:
        raise PermissionNotFound(permission_id)
    return (await give(session, item, user_guid, role, principal_type=principal_type))[0]


async def take(session: AsyncSession, item: Item, permission_id: int) -> None:
    """Raises: PermissionNotFound."""
    there = await get(session, item, permission_id)
    await session.execute(sa.delete(Permission).where(Permission.id == there.id))


def _granted(item: Item) -> sa.Select[int, str, str]:
    wanted = sa.select(Permission.id, User.guid, Permission.role).join(User, User.id == Permission.user_id)
    return wanted.where(Permission.item_id == item.id)


def _of(item: Item, user_id: int) -> sa.Select[Permission]:
    return sa.select(Permission).where(Permission.item_id == item.id, Permission.user_id == user_id)


async def _user(session: AsyncSession, guid: object) -> User:
    found = None
    if isinstance(guid, str):
        found = (await session.execute(sa.select(User).where(User.guid == guid))).scalar_one_or_none()
    if found is None:
        raise PrincipalNotFound(guid)
    return found
