"""Service tokens: what a machine shows that is nobody's account. Each may do what its scopes name and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import BadCredential, Principal, Role, Via
from rostra.auth.tables import ServiceToken
from rostra.auth.tokens import fingerprint
from rostra.errors import Conflict, Forbidden, Invalid, NotFound
from rostra.ids import new_guid, new_secret

# Told from a person's key by its beginning, so that neither is looked for among the other.
PREFIX = "rst_"
_LAST_YEAR = 9000  # what is written down in another time zone must be a year that there is
SCOPES = {
    "server-settings:read": "Read what runtimes the server offers, and its time zones.",
    "instrumentation:read": "Read who used which content, and what its processes take.",
    "audit:read": "Read the audit log.",
    "system:read": "Read checks, storage, the queue, hosts and summaries.",
}


class NoSuchServiceToken(NotFound):
    code = "no-such-service-token"

    def __init__(self, guid: str) -> None:
        super().__init__(f"there is no service token {guid[:40]!r}", hint="List them.")


class ServiceTokenInvalid(Invalid):
    code = "service-token-invalid"
    number = 25

    def __init__(self, why: str) -> None:
        super().__init__(f"the service token cannot be made: {why}", hint="Correct it; list the scopes there are.")


class ServiceTokenTaken(Conflict):
    code = "service-token-taken"
    number = 26

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a service token {name[:80]!r} already", hint="Choose another name.")


class OutOfScope(Forbidden):
    """Shown where a person is wanted, or where another scope would be needed."""

    code = "out-of-scope"

    def __init__(self) -> None:
        super().__init__(
            "a service token may not do this", hint="Give it the scope for this, or use a person's API key."
        )


def is_one(value: str) -> bool:
    return value.startswith(PREFIX)


async def create(
    session: AsyncSession,
    name: object,
    scopes: object,
    *,
    user_id: int,
    now: dt.datetime,
    expires_at: dt.datetime | None,
) -> tuple[ServiceToken, str]:
    """Make a token; return its record and the secret, which cannot be had again.

    Raises:
        ServiceTokenInvalid, ServiceTokenTaken
    """
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 255 or not name.isprintable():
        raise ServiceTokenInvalid("it needs a name of 1 to 255 characters")
    if not isinstance(scopes, list) or not scopes or not all(isinstance(one, str) and one in SCOPES for one in scopes):
        raise ServiceTokenInvalid(f"scopes is a list of some of {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= now:
        raise ServiceTokenInvalid("it would have expired already")
    if expires_at is not None and expires_at.year > _LAST_YEAR:
        raise ServiceTokenInvalid(f"expires_at lies after the year {_LAST_YEAR}; leave it out for a token that stays")
    if (await session.execute(sa.select(ServiceToken.id).where(ServiceToken.name == name.strip()))).first():
        raise ServiceTokenTaken(name.strip())
    secret = PREFIX + new_secret()
    row = ServiceToken(
        guid=new_guid(),
        name=name.strip(),
        token_hash=fingerprint(secret),
        scopes=sorted(set(scopes)),
        created_by_id=user_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    return row, secret


async def listing(session: AsyncSession) -> Sequence[ServiceToken]:
    return (await session.execute(sa.select(ServiceToken).order_by(ServiceToken.id))).scalars().all()


async def get(session: AsyncSession, guid: str) -> ServiceToken:
    """Raises: NoSuchServiceToken."""
    found = (await session.execute(sa.select(ServiceToken).where(ServiceToken.guid == guid))).scalar_one_or_none()
    if found is None:
        raise NoSuchServiceToken(guid)
    return found


async def who(session: AsyncSession, secret: str, now: dt.datetime) -> Principal:
    """Return the machine, as nobody's account.

    Raises:
        BadCredential: the token is unknown, removed or expired.
    """
    wanted = sa.select(ServiceToken).where(ServiceToken.token_hash == fingerprint(secret))
    row = (await session.execute(wanted)).scalar_one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise BadCredential
    return Principal(
        user_id=0,
        guid="",
        username=f"service token {row.name}",
        role=Role.administrator,  # of what its scopes open; `edge` lets it through to nothing else
        via=Via.service,
        credential_id=str(row.id),
        seen_at=row.active_at,
        scopes=frozenset(row.scopes),
    )
