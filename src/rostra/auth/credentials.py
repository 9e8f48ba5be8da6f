"""From what a request shows to the person who sent it.

``read`` is pure; ``who`` looks it up. An ``Authorization`` header outranks cookies, because publishing clients replay
cookies they were given by accident and never send a token against cross-site requests.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import keys, sessions
from rostra.auth.principals import BadCredential, Principal, Role, Via, lowered
from rostra.auth.tables import ApiKey, KeyPair, ServiceToken, Session, User
from rostra.config.sections import Authentication
from rostra.errors import Forbidden

SEEN_EVERY = dt.timedelta(minutes=1)
LONGEST = 4096  # characters of a credential anyone may make us hash
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Scheme(StrEnum):
    key = "key"
    cookie = "cookie"
    none = "none"
    other = "other"  # something we do not know: never good


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows. The gateway sends the same two fields with each decision it asks for."""

    scheme: Scheme
    value: str = ""


NOTHING = Credential(Scheme.none)


class WrongXsrf(Forbidden):
    code = "xsrf"
    number = 92

    def __init__(self) -> None:
        super().__init__(
            "this request did not come from a page of this server",
            hint=f"Send the cookie {sessions.XSRF_COOKIE} again as the header {sessions.XSRF_HEADER}, "
            "or use an API key.",
        )


def read(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Credential:
    """Return what the request shows; ``headers`` finds names in lower case.

    ``X-RSC-Authorization`` carries a key past a proxy that needs ``Authorization`` for itself, with or without the word
    ``Key``.
    """
    named = headers.get("authorization", "").strip()
    scheme, _, value = named.partition(" ")
    if scheme.lower() == "key":
        return _bounded(Credential(Scheme.key, value.strip()))
    behind_proxy = headers.get("x-rsc-authorization", "").strip()
    if behind_proxy:
        first, _, rest = behind_proxy.partition(" ")
        return _bounded(Credential(Scheme.key, rest.strip() if first.lower() == "key" else behind_proxy))
    if named:
        return _bounded(Credential(Scheme.other, named))
    cookie = cookies.get(sessions.COOKIE, "")
    return _bounded(Credential(Scheme.cookie, cookie)) if cookie else NOTHING


def _bounded(credential: Credential) -> Credential:
    return credential if len(credential.value) <= LONGEST else Credential(Scheme.other)


async def who(
    session: AsyncSession, credential: Credential, settings: Authentication, now: dt.datetime
) -> Principal | None:
    """Return the person, or None when nothing is shown or the cookie is over (a stale cookie is not an attack).

    Raises:
        BadCredential: a key that is unknown, revoked, expired or of a locked account; or a scheme nobody knows.
    """
    if credential.scheme is Scheme.none:
        return None
    if credential.scheme is Scheme.cookie:
        return await _by_cookie(session, credential.value, settings, now)
    key = await keys.find(session, credential.value, now) if credential.scheme is Scheme.key else None
    user = None if key is None else await session.get(User, key.user_id)
    if key is None or user is None or user.locked:
        raise BadCredential
    cap = None if key.role is None else Role(key.role)
    via = Via.key if key.process_key is None else Via.process_key
    return _principal(user, via, str(key.id), key.active_at, cap)


async def _by_cookie(session: AsyncSession, token: str, settings: Authentication, now: dt.datetime) -> Principal | None:
    row = await sessions.find(session, token, settings, now)
    user = None if row is None else await session.get(User, row.user_id)
    if row is None or user is None or user.locked:
        return None
    return _principal(user, Via.session, row.token_hash, row.used_at, None)


def _principal(user: User, via: Via, credential_id: str, used_at: dt.datetime | None, cap: Role | None) -> Principal:
    seen_at = None if used_at is None or user.active_at is None else min(used_at, user.active_at)
    return Principal(
        user_id=user.id,
        guid=user.guid,
        username=user.username,
        role=lowered(Role(user.role), cap),
        key_cap=cap,
        via=via,
        credential_id=credential_id,
        seen_at=seen_at,
    )


def check_xsrf(method: str, credential: Credential, header: str | None, cookie: str | None) -> None:
    """Refuse a changing request that a browser may have been tricked into. Keys are never sent by accident.

    Raises:
        WrongXsrf
    """
    if credential.scheme is not Scheme.cookie or method.upper() in _SAFE:
        return
    expected = sessions.xsrf_of(credential.value).encode()
    shown = [(value or "").encode() for value in (header, cookie)]
    if not all(hmac.compare_digest(expected, value) for value in shown):
        raise WrongXsrf


def is_due(principal: Principal, now: dt.datetime) -> bool:
    """Return whether this use should be recorded: at most one in a minute is."""
    return principal.seen_at is None or now - principal.seen_at >= SEEN_EVERY


async def seen(session: AsyncSession, principal: Principal, now: dt.datetime) -> None:
    """Record that the account and the credential were used."""
    await session.execute(sa.update(User).where(User.id == principal.user_id).values(active_at=now))
    if principal.via is Via.session:
        await session.execute(
            sa.update(Session).where(Session.token_hash == principal.credential_id).values(used_at=now)
        )
    elif principal.via is Via.service:
        mine = ServiceToken.id == int(principal.credential_id)
        await session.execute(sa.update(ServiceToken).where(mine).values(active_at=now))
    elif principal.via is Via.signed:
        pair = KeyPair.token == principal.credential_id
        await session.execute(sa.update(KeyPair).where(pair).values(active_at=now))
    else:
        await session.execute(sa.update(ApiKey).where(ApiKey.id == int(principal.credential_id)).values(active_at=now))
