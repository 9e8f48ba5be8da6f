"""The outbox's rows. Every function works in the caller's transaction.

Delivery is at least once, at most once apart from one moment: when the server dies after the mail server took a mail
and before that was written down, the mail is sent again, under the same Message-ID.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.db.engine import alone
from rostra.mail.message import Letter, check_address
from rostra.mail.tables import Mail

LEASE = dt.timedelta(minutes=3)  # longer than handing over one mail may take
KEPT = dt.timedelta(days=30)
PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 240, 480, 960))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that ``worker`` may send now; ``attempt`` counts from 1."""

    mail: Mail
    worker: str
    attempt: int


async def post(
    session: AsyncSession, key: str, recipient: str, letter: Letter, *, sender: str, now: dt.datetime
) -> bool:
    """Put a mail in the outbox; False, and nothing happens, when one with this key was put there before.

    Raises:
        BadAddress: the recipient's.
    """
    mail = row(key, recipient, letter, sender=sender, now=now)
    await alone(session, "outbox")
    if (await session.execute(sa.select(Mail.id).where(Mail.key == key))).first() is not None:
        return False
    session.add(mail)
    await session.flush()
    return True


def row(key: str, recipient: str, letter: Letter, *, sender: str, now: dt.datetime) -> Mail:
    """Return the mail, in no outbox yet.

    Raises:
        BadAddress: the recipient's.
    """
    return Mail(
        key=key,
        message_id=message_id(key, sender),
        recipient=check_address(recipient),
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        page=letter.page,
        page_url=letter.page_url,
        attachments=[{"name": name, "path": path} for name, path in letter.attachments],
        created_at=now,
        due_at=now,
    )


def message_id(key: str, sender: str) -> str:
    """Return the same Message-ID for the same mail, whenever it is sent."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{sender.rpartition('@')[2] or 'localhost'}>"


async def anything_waits(session: AsyncSession, now: dt.datetime) -> bool:
    return (await session.execute(sa.select(Mail.id).where(_waits(now)).limit(1))).first() is not None


async def claim(session: AsyncSession, worker: str, now: dt.datetime) -> Claimed | None:
    """Take the mail that has waited longest, or None. Others leave it alone for the length of a lease."""
    oldest = sa.select(Mail).where(_waits(now)).order_by(Mail.due_at, Mail.id).limit(1)
    mail = (await session.execute(oldest.with_for_update(skip_locked=True))).scalar_one_or_none()
    if mail is None:
        return None
    mail.worker, mail.leased_until, mail.attempts = worker, now + LEASE, mail.attempts + 1
    await session.flush()
    return Claimed(mail, worker, mail.attempts)


def _waits(now: dt.datetime) -> sa.ColumnElement[bool]:
    free = sa.or_(Mail.leased_until.is_(None), Mail.leased_until <= now)
    return sa.and_(Mail.ended_at.is_(None), Mail.due_at <= now, free)


async def sent(session: AsyncSession, claimed: Claimed, now: dt.datetime) -> bool:
    """Write down that the mail was taken; False when it is not this worker's any more."""
    return await _change(session, claimed, ended_at=now, sent=True, leased_until=None, error="")


async def refused(session: AsyncSession, claimed: Claimed, now: dt.datetime, why: str) -> bool:
    """Write down that it never will be."""
    return await _change(session, claimed, ended_at=now, sent=False, leased_until=None, error=why)


async def again(session: AsyncSession, claimed: Claimed, now: dt.datetime, why: str) -> bool:
    """Let it wait for its next attempt, longer each time; after the last one it is refused."""
    if claimed.attempt > len(PAUSES):
        return await refused(session, claimed, now, why)
    due = now + PAUSES[claimed.attempt - 1]
    return await _change(session, claimed, due_at=due, leased_until=None, error=why)


async def _change(session: AsyncSession, claimed: Claimed, **values: object) -> bool:
    mine = (Mail.id == claimed.mail.id, Mail.worker == claimed.worker, Mail.attempts == claimed.attempt)
    wanted = sa.update(Mail).where(*mine, Mail.ended_at.is_(None)).values(**values)
    result = await session.execute(wanted.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def reclaim(session: AsyncSession, node: str) -> int:
    """At start: free what this node's last run (workers named ``{node}/…``) was sending; return how many."""
    theirs = Mail.worker.startswith(f"{node}/", autoescape=True)
    freed = sa.update(Mail).where(Mail.ended_at.is_(None), Mail.leased_until.is_not(None), theirs)
    result = await session.execute(freed.values(leased_until=None).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


async def prune(session: AsyncSession, now: dt.datetime) -> None:
    """Forget mails that ended long ago."""
    await session.execute(sa.delete(Mail).where(Mail.ended_at < now - KEPT))


async def by_keys(session: AsyncSession, keys: Sequence[str]) -> Sequence[Mail]:
    """Return the mails with these keys, in the order they were put in."""
    wanted = sa.select(Mail).where(Mail.key.in_(keys)).order_by(Mail.id)
    return (await session.execute(wanted)).scalars().all()
