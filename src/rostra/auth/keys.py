"""API keys: made once, shown once, found by their hash. Also the short-lived ones content processes are given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role, Via
from rostra.auth.tables import ApiKey
from rostra.auth.tokens import fingerprint
from rostra.errors import Conflict, Forbidden, Invalid, NotFound
from rostra.ids import new_secret

LONGEST_NAME = 255
_VISITOR = "visit/"  # where the key of a process is kept, for keys that end by time
_RENDER = "render/"


class NoSuchKey(NotFound):
    code = "no-such-key"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no API key {key_id[:40]}", hint="List the keys to find the right one.")


class KeyNameInvalid(Invalid):
    code = "key-name-invalid"
    number = 62

    def __init__(self) -> None:
        super().__init__("an API key needs a name of 1 to 255 characters", hint="Name it after what will use it.")


class KeyNameTaken(Conflict):
    code = "key-name-taken"
    number = 76

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"there is already a key called {name!r}", hint="Choose another name, or delete that key first."
        )


class ProcessKeyTooWeak(Forbidden):
    """A key that ends with its process must not turn itself into something that stays."""

    code = "process-key-too-weak"

    def __init__(self) -> None:
        super().__init__("a content process's own key cannot make keys", hint="Make the key by hand and store it.")


def check_lasting(who: Principal) -> None:
    """Raises: ProcessKeyTooWeak, unless they may be given a credential that stays."""
    if who.via is Via.process_key:
        raise ProcessKeyTooWeak


async def create(
    session: AsyncSession,
    user_id: int,
    name: str,
    now: dt.datetime,
    *,
    cap: Role | None = None,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return its record and the secret, which cannot be had again.

    Raises:
        KeyNameInvalid, KeyNameTaken
    """
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise KeyNameInvalid
    if any(key.name == name for key in await of_user(session, user_id)):
        raise KeyNameTaken(name)
    return await _add(session, ApiKey(user_id=user_id, name=name, created_at=now, role=cap, expires_at=expires_at))


async def for_process(
    session: AsyncSession, user_id: int, process_key: str, now: dt.datetime, *, cap: Role | None = None
) -> str:
    """Make the key one content process is given; return the secret. Ended by ``revoke_for_process``."""
    name = f"process {process_key}"
    row = ApiKey(user_id=user_id, name=name, process_key=process_key, role=cap, created_at=now)
    return (await _add(session, row))[1]


async def for_visitor(
    session: AsyncSession, user_id: int, item_guid: str, now: dt.datetime, *, cap: Role, expires_at: dt.datetime
) -> str:
    """Make the key content is given to act for its visitor; return the secret. It cannot make other keys."""
    row = ApiKey(
        user_id=user_id,
        name=f"visit of {item_guid}",
        process_key=f"{_VISITOR}{item_guid}",
        role=cap,
        created_at=now,
        expires_at=expires_at,
    )
    return (await _add(session, row))[1]


async def for_render(
    session: AsyncSession, user_id: int, render_key: str, now: dt.datetime, *, expires_at: dt.datetime
) -> str:
    """Make the key one render is given; return the secret. Ended by ``revoke_for_render``, or by time after a crash."""
    over = sa.and_(ApiKey.process_key.startswith(_RENDER), ApiKey.expires_at <= now)
    await session.execute(sa.delete(ApiKey).where(over))
    row = ApiKey(
        user_id=user_id,
        name=f"render {render_key}",
        process_key=f"{_RENDER}{render_key}",
        role=None,
        created_at=now,
        expires_at=expires_at,
    )
    return (await _add(session, row))[1]


async def revoke_for_render(session: AsyncSession, render_key: str) -> None:
    """End the key of a render that is over."""
    await revoke_for_process(session, f"{_RENDER}{render_key}")


async def forget_expired_visitors(session: AsyncSession, now: dt.datetime) -> None:
    """Remove the keys of visits that are over."""
    over = sa.and_(ApiKey.process_key.startswith(_VISITOR), ApiKey.expires_at <= now)
    await session.execute(sa.delete(ApiKey).where(over))


async def _add(session: AsyncSession, row: ApiKey) -> tuple[ApiKey, str]:
    secret = new_secret()
    row.key_hash = fingerprint(secret)
    session.add(row)
    await session.flush()
    return row, secret


async def find(session: AsyncSession, secret: str, now: dt.datetime) -> ApiKey | None:
    """Return the key's record unless it has expired."""
    row = (await session.execute(sa.select(ApiKey).where(ApiKey.key_hash == fingerprint(secret)))).scalar_one_or_none()
    return None if row is None or (row.expires_at and row.expires_at <= now) else row


async def of_user(session: AsyncSession, user_id: int) -> Sequence[ApiKey]:
    """Return the keys a person made, oldest first; those of processes are not among them."""
    mine = sa.select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.process_key.is_(None)).order_by(ApiKey.id)
    return (await session.execute(mine)).scalars().all()


async def one_of_user(session: AsyncSession, user_id: int, key_id: str) -> ApiKey:
    """Raises: NoSuchKey, also for another person's key."""
    for key in await of_user(session, user_id):
        if str(key.id) == key_id:
            return key
    raise NoSuchKey(key_id)


async def revoke_for_process(session: AsyncSession, process_key: str) -> None:
    """End the key of a process that is gone. Ending it twice is fine."""
    await session.execute(sa.delete(ApiKey).where(ApiKey.process_key == process_key))


async def revoke_for_processes_other_than(session: AsyncSession, running: Collection[str]) -> None:
    """At start: end the keys of every process that does not run any more, but those that end by time.

    A render is no process of the keeper. On a database that servers can share, another may be at work on it, so its
    key is left to end by time; on SQLite there is no other, and what was rendered when the server died is over.
    """
    timed = ApiKey.process_key.startswith(_VISITOR)
    if session.get_bind().dialect.name != "sqlite":
        timed = sa.or_(timed, ApiKey.process_key.startswith(_RENDER))
    gone = sa.and_(ApiKey.process_key.is_not(None), ApiKey.process_key.not_in(running), sa.not_(timed))
    await session.execute(sa.delete(ApiKey).where(gone))
