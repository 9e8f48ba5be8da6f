"""A person's own password, changed by themselves in the browser they are signed in with."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import users
from rostra.auth.passwords import Passwords
from rostra.auth.principals import Principal, Via
from rostra.auth.tables import Session, User
from rostra.auth.throttle import Throttle
from rostra.errors import Forbidden


class OnlySignedIn(Forbidden):
    """A key may be limited, and may have been lent: it must not become a way to sign in."""

    code = "only-signed-in"

    def __init__(self) -> None:
        super().__init__(
            "a password is changed by who has signed in", hint="Sign in on the dashboard and change it there."
        )


class WrongPassword(Forbidden):
    code = "wrong-password"

    def __init__(self) -> None:
        super().__init__("the present password is wrong", hint="Try again, or ask an administrator for a new account.")


async def hashed(user: User, passwords: Passwords, tries: Throttle, *, present: str, wanted: str) -> str:
    """Return the hash of ``wanted``, after the present password was proven. Takes a while: hold no transaction.

    An account without a password, which is signed in to with a link, has none to prove.

    Raises:
        WrongPassword, TooManyTries, PasswordUnfit
    """
    if user.password_hash is not None:
        tries.begin(user.username, "")
        if not await passwords.matches(user.password_hash, present):
            raise WrongPassword
        tries.succeeded(user.username, "")
    return await users.hash_password(passwords, wanted)


def check_signed_in(who: Principal) -> None:
    """Raises: OnlySignedIn."""
    if who.via is not Via.session:
        raise OnlySignedIn


async def change(session: AsyncSession, who: Principal, proven: str | None, hash_: str, now: dt.datetime) -> None:
    """Store a password and sign the person out everywhere else. Their API keys stay.

    Args:
        proven: the hash that was there when the present password was proven.

    Raises:
        WrongPassword: it was changed meanwhile.
    """
    user = (await session.execute(sa.select(User).where(User.id == who.user_id).with_for_update())).scalar_one()
    if user.password_hash != proven:
        raise WrongPassword
    user.password_hash, user.updated_at = hash_, now
    others = sa.delete(Session).where(Session.user_id == who.user_id, Session.token_hash != who.credential_id)
    await session.execute(others)
