"""Accounts: making, finding, listing and signing in to them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.passwords import LONGEST, Passwords
from rostra.auth.principals import Role
from rostra.auth.tables import User
from rostra.db.engine import alone
from rostra.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from rostra.ids import new_guid

SHORTEST_PASSWORD = 6
_USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{1,63}")


class UsernameTaken(Conflict):
    code = "username-taken"
    number = 8

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(f"the username {username!r} is already used", hint="Choose another one.")


class UsernameInvalid(Invalid):
    code = "username-invalid"
    number = 7

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(
            f"{username[:80]!r} is not a username",
            hint="Use 2 to 64 letters, digits and _.@+-, beginning with a letter, a digit or _.",
        )


class PasswordUnfit(Invalid):
    code = "password-unfit"
    number = 6

    def __init__(self) -> None:
        super().__init__(
            "the password is too short or too long", hint=f"Use {SHORTEST_PASSWORD} to {LONGEST} characters."
        )


class NoSuchUser(NotFound):
    code = "no-such-user"

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(f"there is no user {who[:80]!r}", hint="List the users to find the right one.")


class WrongLogin(NotSignedIn):
    """Unknown name, wrong password or an account without one: nobody is told which."""

    code = "wrong-login"
    number = 30

    def __init__(self) -> None:
        super().__init__(
            "the username or the password is wrong", hint="Try again, or ask an administrator to reset it."
        )


class AccountLocked(Forbidden):
    code = "account-locked"
    number = 50

    def __init__(self) -> None:
        super().__init__("this account is locked", hint="Ask an administrator to unlock it.")


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
    page: int = 1,
    size: int = 500,
) -> Page:
    """Return page ``page`` (from 1) of the accounts whose username or a name begins with ``prefix``, case ignored.

    ``locked`` None: both those that are and those that are not.
    """
    wanted = sa.select(User)
    if prefix:
        names = (User.username, User.first_name, User.last_name)
        wanted = wanted.where(sa.or_(*(name.istartswith(prefix, autoescape=True) for name in names)))
    if roles:
        wanted = wanted.where(User.role.in_([role.value for role in roles]))
    if locked is not None:
        wanted = wanted.where(User.locked.is_(locked))
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    rows = await session.execute(wanted.order_by(User.id).limit(size).offset((page - 1) * size))
    return Page(users=rows.scalars().all(), total=total)


async def administrators(session: AsyncSession) -> int:
    """Return how many there are, locked ones too."""
    counted = sa.select(sa.func.count()).select_from(User).where(User.role == Role.administrator.value)
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
