"""Accounts: making, finding, listing and signing in to them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.errors import (
    LONGEST_FIELD,
    SHORTEST_PASSWORD,
    AccountLocked,
    LastAdministrator,
    MayNotChange,
    NoSuchRole,
    NoSuchUser,
    NotSortable,
    PasswordUnfit,
    UnknownState,
    UserFieldInvalid,
    UsernameInvalid,
    UsernameTaken,
    WrongLogin,
)
from rostra.auth.passwords import LONGEST, Passwords
from rostra.auth.principals import Role
from rostra.auth.tables import User
from rostra.db.engine import alone
from rostra.ids import new_guid

IDLE = dt.timedelta(days=365)
_CHANGEABLE = {
    "email": "email",
    "username": "username",
    "first_name": "first_name",
    "last_name": "last_name",
    "user_role": "role",
}
SORTABLE: Mapping[str, sa.orm.InstrumentedAttribute[Any]] = {
    **{name: getattr(User, name) for name in ("username", "first_name", "last_name", "email", "guid", "locked")},
    "user_role": User.role,
    "created_time": User.created_at,
    "updated_time": User.updated_at,
    "active_time": User.active_at,
}
USERNAME = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{1,63}"
_USERNAME = re.compile(USERNAME)


class State(StrEnum):
    """How an account is used, in the wire's words."""

    locked = "locked"
    licensed = "licensed"  # used, or made, within the last year
    inactive = "inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What an account is made from. ``password`` None: it cannot be signed in to with one."""

    username: str
    role: Role = Role.viewer
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    password: str | None = None


async def create(session: AsyncSession, passwords: Passwords, wanted: NewUser, now: dt.datetime) -> User:
    """Make the account.

    Raises:
        UsernameInvalid, PasswordUnfit: before anything is looked up.
        UsernameTaken: also when it differs only in case.
    """
    check_username(wanted.username)
    hashed = None if wanted.password is None else await hash_password(passwords, wanted.password)
    return await add(session, wanted, hashed, now)


async def add(session: AsyncSession, wanted: NewUser, password_hash: str | None, now: dt.datetime) -> User:
    """Store an account whose password is hashed already; hashing must not hold a transaction open."""
    await alone(session, "users")
    if await by_username(session, wanted.username) is not None:
        raise UsernameTaken(wanted.username)
    user = User(
        guid=new_guid(),
        username=wanted.username,
        email=wanted.email,
        first_name=wanted.first_name,
        last_name=wanted.last_name,
        role=wanted.role.value,
        password_hash=password_hash,
        created_at=now,
        updated_at=now,
    )
    session.add(user)
    await session.flush()
    return user


def check_new(wanted: NewUser) -> None:
    """Raises: UsernameInvalid, UserFieldInvalid."""
    check_username(wanted.username)
    _checked({"email": wanted.email, "first_name": wanted.first_name, "last_name": wanted.last_name})


def check_username(username: str) -> None:
    if not _USERNAME.fullmatch(username):
        raise UsernameInvalid(username)


async def hash_password(passwords: Passwords, password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST:
        raise PasswordUnfit
    return await passwords.hash(password)


async def by_username(session: AsyncSession, username: str) -> User | None:
    """Return the account of that name, case ignored."""
    return (
        await session.execute(sa.select(User).where(sa.func.lower(User.username) == username.lower()))
    ).scalar_one_or_none()


async def by_guid(session: AsyncSession, guid: str) -> User:
    """Raises: NoSuchUser."""
    user = (await session.execute(sa.select(User).where(User.guid == guid))).scalar_one_or_none()
    if user is None:
        raise NoSuchUser(guid)
    return user


async def by_id(session: AsyncSession, user_id: int) -> User:
    """Raises: NoSuchUser."""
    user = await session.get(User, user_id)
    if user is None:
        raise NoSuchUser(str(user_id))
    return user


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the accounts, oldest first. ``total`` counts all that fit the filter."""

    users: Sequence[User]
    total: int


async def find(
    session: AsyncSession,
    *,
    prefix: str = "",
    roles: Sequence[Role] = (),
    locked: bool | None = None,
    states: Sequence[State] = (),
    now: dt.datetime | None = None,
    order: sa.UnaryExpression[Any] | None = None,
    only: int | None = None,
    page: int = 1,
    size: int = 500,
) -> Page:
    """Return page ``page`` (from 1) of the accounts whose username or a name begins with ``prefix``, case ignored.

    ``locked`` None: both those that are and those that are not. ``states`` need ``now``. Without ``order`` the oldest
    come first. ``only``: nobody but the account of this number.
    """
    wanted = sa.select(User) if only is None else sa.select(User).where(User.id == only)
    if prefix:
        names = (User.username, User.first_name, User.last_name)
        wanted = wanted.where(sa.or_(*(name.istartswith(prefix, autoescape=True) for name in names)))
    if roles:
        wanted = wanted.where(User.role.in_([role.value for role in roles]))
    if locked is not None:
        wanted = wanted.where(User.locked.is_(locked))
    if states and now is not None:
        wanted = wanted.where(sa.or_(*(_is(state, now) for state in states)))
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    ordered = wanted.order_by(*(() if order is None else (order,)), User.id)
    rows = await session.execute(ordered.limit(size).offset((page - 1) * size))
    return Page(users=rows.scalars().all(), total=total)


def _is(state: State, now: dt.datetime) -> sa.ColumnElement[bool]:
    if state is State.locked:
        return User.locked.is_(True)
    lately = sa.func.coalesce(User.active_at, User.created_at) > now - IDLE
    return sa.and_(User.locked.is_(False), lately if state is State.licensed else sa.not_(lately))


def order(name: str, *, ascending: bool = True) -> sa.UnaryExpression[Any] | None:
    """Return how to sort by what clients call ``name``; None for the empty name.

    Raises:
        NotSortable
    """
    if not name:
        return None
    if name not in SORTABLE:
        raise NotSortable(name, SORTABLE)
    column: Any = SORTABLE[name]
    return column.asc() if ascending else column.desc()  # type: ignore[no-any-return]


def state(name: str) -> State:
    """Raises: UnknownState."""
    try:
        return State(name)
    except ValueError as why:
        raise UnknownState(name) from why


async def change(
    session: AsyncSession, user: User, given: Mapping[str, object], *, by_administrator: bool, now: dt.datetime
) -> None:
    """Change the fields a client sent; those it did not send, or that are not an account's, stay as they are.

    Raises:
        MayNotChange: only administrators change usernames and roles.
        LastAdministrator, UsernameInvalid, UsernameTaken, UserFieldInvalid, NoSuchRole
    """
    changes = _checked(given)
    changes = {name: value for name, value in changes.items() if getattr(user, name) != value}
    if not by_administrator and changes.keys() & {"username", "role"}:
        raise MayNotChange
    if "username" in changes:
        await _check_free(session, user, changes["username"])
    if user.role == Role.administrator and changes.get("role", user.role) != user.role:
        await alone(session, "users")
        if await administrators(session, unlocked=True) - (not user.locked) < 1:
            raise LastAdministrator
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        user.updated_at = now
    await session.flush()


def _checked(given: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for wire, name in _CHANGEABLE.items():
        value = given.get(wire)
        if value is None or (value == "" and name in {"username", "role"}):
            continue
        if not isinstance(value, str) or len(value) > LONGEST_FIELD or not value.isprintable():
            raise UserFieldInvalid(wire)
        found[name] = value
    if "username" in found:
        check_username(found["username"])
    if "role" in found and found["role"] not in tuple(Role):
        raise NoSuchRole(found["role"])
    return found


async def _check_free(session: AsyncSession, user: User, username: str) -> None:
    await alone(session, "users")
    there = await by_username(session, username)
    if there is not None and there.id != user.id:
        raise UsernameTaken(username)


async def administrators(session: AsyncSession, *, unlocked: bool = False) -> int:
    """Return how many there are; locked ones too, unless only ``unlocked`` are asked for."""
    counted = sa.select(sa.func.count()).select_from(User).where(User.role == Role.administrator.value)
    if unlocked:
        counted = counted.where(User.locked.is_(False))
    return (await session.execute(counted)).scalar_one()


async def sign_in(session: AsyncSession, passwords: Passwords, username: str, password: str) -> User:
    """Return the account these two open.

    Give a reading session: checking takes a while and must not keep writers waiting.

    Raises:
        WrongLogin, AccountLocked
    """
    user = await by_username(session, username)
    if not await passwords.matches(user.password_hash if user else None, password) or user is None:
        raise WrongLogin
    if user.locked:
        raise AccountLocked
    return user
