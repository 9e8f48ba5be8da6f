"""Signed-in browsers: a random token in a cookie, of which only the hash is kept.

The token against cross-site requests is derived from the session's, so it need not be stored and a cookie planted by a
neighbouring site does not fit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import Session, User
from rostra.auth.tokens import fingerprint
from rostra.config.sections import Authentication
from rostra.ids import new_secret

COOKIE = "rsconnect"
XSRF_COOKIE = "RSC-XSRF"
XSRF_HEADER = "X-Rsc-Xsrf"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a browser is given: ``token`` in ``COOKIE`` (HttpOnly), ``xsrf`` in ``XSRF_COOKIE`` (scripts read it)."""

    token: str
    xsrf: str
    expires_at: dt.datetime


async def begin(session: AsyncSession, user_id: int, settings: Authentication, now: dt.datetime) -> SignedIn:
    """Sign a browser in."""
    token, expires_at = new_secret(), now + settings.lifetime
    row = Session(token_hash=fingerprint(token), user_id=user_id, created_at=now, used_at=now, expires_at=expires_at)
    session.add(row)
    await session.flush()
    return SignedIn(token=token, xsrf=xsrf_of(token), expires_at=expires_at)


def xsrf_of(token: str) -> str:
    """Return the token against cross-site requests that belongs to this session."""
    return hashlib.sha256(b"xsrf:" + token.encode()).hexdigest()


async def find(session: AsyncSession, token: str, settings: Authentication, now: dt.datetime) -> Session | None:
    """Return the live session of this cookie: neither expired nor unused for too long."""
    row = await session.get(Session, fingerprint(token))
    return row if row is not None and _alive(row, settings, now) else None


def _alive(row: Session, settings: Authentication, now: dt.datetime) -> bool:
    return now < row.expires_at and now < row.used_at + settings.inactivity


async def of_user(session: AsyncSession, user_id: int) -> Sequence[Session]:
    """Return a person's sessions, the most recently used first."""
    rows = await session.execute(sa.select(Session).where(Session.user_id == user_id).order_by(Session.used_at.desc()))
    return rows.scalars().all()


async def end(session: AsyncSession, token: str) -> None:
    """Sign this browser out. Ending what is over is fine."""
    await session.execute(sa.delete(Session).where(Session.token_hash == fingerprint(token)))


async def whose(session: AsyncSession, token: str) -> User | None:
    """Return whose browser session this is, as long as there is one."""
    wanted = sa.select(User).join(Session, Session.user_id == User.id)
    return (await session.execute(wanted.where(Session.token_hash == fingerprint(token)))).scalar_one_or_none()


async def end_all(session: AsyncSession, user_id: int) -> None:
    """Sign a person out everywhere."""
    await session.execute(sa.delete(Session).where(Session.user_id == user_id))


async def prune(session: AsyncSession, settings: Authentication, now: dt.datetime) -> None:
    """Forget sessions that cannot be used any more."""
    over = sa.or_(Session.expires_at <= now, Session.used_at <= now - settings.inactivity)
    await session.execute(sa.delete(Session).where(over))
