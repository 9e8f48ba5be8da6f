"""Sign-in links that work once: printed by the evaluation server, later mailed."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import OneTimeLink, User
from rostra.auth.tokens import fingerprint
from rostra.errors import NotSignedIn
from rostra.ids import new_secret


class LinkUsedUp(NotSignedIn):
    code = "link-used-up"
    number = 29

    def __init__(self) -> None:
        super().__init__(
            "this sign-in link is not valid any more", hint="It works once and for a short time; get another one."
        )


async def create(session: AsyncSession, user_id: int, now: dt.datetime, lifetime: dt.timedelta) -> str:
    """Return the token a link must carry."""
    token = new_secret()
    session.add(OneTimeLink(token_hash=fingerprint(token), user_id=user_id, expires_at=now + lifetime))
    await session.flush()
    return token


async def redeem(session: AsyncSession, token: str, now: dt.datetime) -> User:
    """Use the link up; return whom it signs in.

    Raises:
        LinkUsedUp: unknown, used, expired, or the account is locked. Of two at the same time one gets this.
    """
    used = sa.delete(OneTimeLink).where(OneTimeLink.token_hash == fingerprint(token))
    row = (await session.execute(used.returning(OneTimeLink.user_id, OneTimeLink.expires_at))).one_or_none()
    user = None if row is None else await session.get(User, row.user_id)
    if row is None or user is None or row.expires_at <= now or user.locked:
        raise LinkUsedUp
    return user


async def prune(session: AsyncSession, now: dt.datetime) -> None:
    await session.execute(sa.delete(OneTimeLink).where(OneTimeLink.expires_at <= now))
