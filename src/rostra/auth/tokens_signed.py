"""Key pairs: a publishing client keeps the private half and signs its requests; a person claims the pair in a browser.

What is signed is the method, the path, the date and the MD5 of the body, so a signed request that is overheard can be
repeated only as it is and only for a short time; one that changes something cannot be repeated at all. The checks here
are pure, except for the look-ups at the end.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import email.utils
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import BadCredential, Principal, Role, Via
from rostra.auth.tables import KeyPair, UsedSignature, User
from rostra.errors import Forbidden, Invalid, NotFound, NotSignedIn

SKEW = dt.timedelta(minutes=15)  # how far a client's clock may be off
UNCLAIMED = dt.timedelta(hours=1)  # how long a pair waits for its person
MOST_UNCLAIMED = 1000  # anybody may register pairs: they must not fill the disk
TOKEN = r"T[A-Za-z0-9]{8,64}"  # noqa: S105  (what one looks like)
_TOKEN = re.compile(TOKEN)
LONGEST_KEY = 4096  # characters
_SMALLEST_KEY = 2048  # bits


class MissingTokenAttributes(Invalid):
    code = "token-attributes"
    number = 86

    def __init__(self, why: str) -> None:
        super().__init__(f"the key pair is not usable: {why}", hint="Send a token and an RSA public key (DER, base64).")


class DuplicateToken(Invalid):
    code = "token-taken"
    number = 85

    def __init__(self) -> None:
        super().__init__("this token is registered already", hint="Make another key pair.")


class TooManyUnclaimed(Invalid):
    code = "too-many-tokens"
    number = 277

    def __init__(self) -> None:
        super().__init__("too many key pairs wait to be claimed", hint="Try again in an hour, or use an API key.")


class NoSuchToken(NotFound):
    code = "no-such-token"

    def __init__(self) -> None:
        super().__init__("there is no key pair to claim here", hint="Begin again in your publishing client.")


class SignatureUsed(NotSignedIn):
    code = "signature-used"
    number = 30

    def __init__(self) -> None:
        super().__init__("this very request was made already", hint="Sign it again, with the present date.")


class TokenClaimed(Forbidden):
    code = "token-claimed"
    number = 84

    def __init__(self) -> None:
        super().__init__("this key pair was claimed already", hint="Begin again in your publishing client.")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signed request shows. ``checksum`` is the MD5 the body must have."""

    token: str
    signature: bytes
    date: str
    checksum: str

    def covers(self, body: bytes) -> bool:
        """Return whether this is the body that was signed."""
        # MD5 is what the clients' protocol says; the signature over it is what counts.
        found = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        return hmac.compare_digest(found, self.checksum.encode())


def read(headers: Mapping[str, str]) -> Signed | None:
    """Return what a request shows, or None when it is not a signed one; ``headers`` finds names in lower case.

    Raises:
        BadCredential: it says it is signed and is not.
    """
    token = headers.get("x-auth-token", "").strip()
    if not token:
        return None
    checksum = headers.get("x-content-checksum", "").strip()
    try:
        signature = base64.b64decode(headers.get("x-auth-signature", ""), validate=True)
        if len(base64.b64decode(checksum, validate=True)) != 16:
            raise BadCredential
    except (binascii.Error, ValueError) as why:
        raise BadCredential from why
    return Signed(token, signature, headers.get("date", "").strip(), checksum)


def signed_text(method: str, path: str, date: str, checksum: str) -> bytes:
    """Return what is signed; ``path`` has no query and no prefix a proxy adds."""
    return "\n".join((method.upper(), path, date, checksum)).encode()


def check(shown: Signed, public_key: str, method: str, path: str, now: dt.datetime) -> None:
    """Raises: BadCredential, when the signature is another one or the date too far away."""
    try:
        date = email.utils.parsedate_to_datetime(shown.date)
    except (TypeError, ValueError) as why:
        raise BadCredential from why
    date = date if date.tzinfo else date.replace(tzinfo=dt.UTC)
    if abs(now - date) > SKEW:
        raise BadCredential
    text = signed_text(method, path, shown.date, shown.checksum)
    try:
        # SHA-1 is what the clients sign with; nothing stronger is understood by them.
        usable(public_key).verify(shown.signature, text, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    except InvalidSignature as why:
        raise BadCredential from why


def usable(public_key: object) -> RSAPublicKey:
    """Return the key of this text (DER, base64).

    Raises:
        MissingTokenAttributes
    """
    if not isinstance(public_key, str) or not public_key or len(public_key) > LONGEST_KEY:
        raise MissingTokenAttributes("there is no public key")
    try:
        found = load_der_public_key(base64.b64decode(public_key, validate=True))
    except (binascii.Error, ValueError, TypeError) as why:
        raise MissingTokenAttributes("the public key cannot be read") from why
    if not isinstance(found, RSAPublicKey) or found.key_size < _SMALLEST_KEY:
        raise MissingTokenAttributes(f"it is no RSA key of at least {_SMALLEST_KEY} bits")
    return found


async def register(session: AsyncSession, token: object, public_key: object, now: dt.datetime) -> KeyPair:
    """Keep a pair until somebody claims it; anybody may ask for this.

    Raises:
        MissingTokenAttributes, DuplicateToken, TooManyUnclaimed
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise MissingTokenAttributes("the token is no T with letters and digits behind it")
    usable(public_key)
    waiting = KeyPair.user_id.is_(None)
    await session.execute(sa.delete(KeyPair).where(waiting, KeyPair.created_at < now - UNCLAIMED))
    counted = sa.select(sa.func.count()).select_from(KeyPair).where(waiting)
    if (await session.execute(counted)).scalar_one() >= MOST_UNCLAIMED:
        raise TooManyUnclaimed
    if await session.get(KeyPair, token) is not None:
        raise DuplicateToken
    pair = KeyPair(token=token, public_key=str(public_key), created_at=now)
    session.add(pair)
    await session.flush()
    return pair


async def waiting(session: AsyncSession, token: str, now: dt.datetime) -> KeyPair:
    """Return the pair that waits to be claimed.

    Raises:
        NoSuchToken, TokenClaimed
    """
    pair = await session.get(KeyPair, token[:100])
    if pair is None or (pair.user_id is None and pair.created_at < now - UNCLAIMED):
        raise NoSuchToken
    if pair.user_id is not None:
        raise TokenClaimed
    return pair


async def claim(session: AsyncSession, token: str, user_id: int, now: dt.datetime) -> None:
    """Let requests signed with this pair act for a person.

    Raises:
        NoSuchToken, TokenClaimed
    """
    pair = await waiting(session, token, now)
    pair.user_id = user_id
    await session.flush()


async def of_user(session: AsyncSession, user_id: int) -> Sequence[KeyPair]:
    """Return the pairs a person claimed, oldest first."""
    mine = sa.select(KeyPair).where(KeyPair.user_id == user_id).order_by(KeyPair.created_at, KeyPair.token)
    return (await session.execute(mine)).scalars().all()


async def one_of_user(session: AsyncSession, user_id: int, token: str) -> KeyPair:
    """Raises: NoSuchToken, also for another person's."""
    pair = await session.get(KeyPair, token[:100])
    if pair is None or pair.user_id != user_id:
        raise NoSuchToken
    return pair


async def use_up(session: AsyncSession, shown: Signed, now: dt.datetime) -> None:
    """Remember a signed request that changes something, so that whoever overheard it cannot send it again.

    Raises:
        SignatureUsed
    """
    await session.execute(sa.delete(UsedSignature).where(UsedSignature.until < now))
    digest = hashlib.sha256(shown.signature).hexdigest()
    # The date that was signed lies at most SKEW ahead, and is good until SKEW after itself.
    row = {"digest": digest, "until": now + 2 * SKEW}
    try:
        await session.execute(sa.insert(UsedSignature).values(row))
    except sa.exc.IntegrityError as why:
        raise SignatureUsed from why


async def who(session: AsyncSession, shown: Signed, method: str, path: str, now: dt.datetime) -> Principal:
    """Return the person whose pair signed this.

    Raises:
        BadCredential: also while nobody has claimed the pair.
    """
    pair = await session.get(KeyPair, shown.token[:100])
    user = None if pair is None or pair.user_id is None else await session.get(User, pair.user_id)
    if pair is None or user is None or user.locked:
        raise BadCredential
    check(shown, pair.public_key, method, path, now)
    seen_at = None if pair.active_at is None or user.active_at is None else min(pair.active_at, user.active_at)
    return Principal(
        user_id=user.id,
        guid=user.guid,
        username=user.username,
        role=Role(user.role),
        via=Via.signed,
        credential_id=pair.token,
        seen_at=seen_at,
    )
