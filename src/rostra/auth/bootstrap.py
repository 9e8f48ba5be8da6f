"""The first administrator, made by whoever knows the shared secret. Rules: docs/decisions/0009-credentials.md."""

from __future__ import annotations

import base64
import binascii
import datetime as dt

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import keys, users
from rostra.auth.principals import Role
from rostra.config.sections import Bootstrap
from rostra.db.engine import alone
from rostra.errors import Forbidden, Invalid, NotFound, NotSignedIn

USERNAME = "__bootstrap_admin__"
SHORTEST_SECRET = 32  # bytes
LEEWAY_SECONDS = 60  # clocks of two machines differ


class BootstrapOff(NotFound):
    code = "bootstrap-off"

    def __init__(self) -> None:
        super().__init__(
            "making the first administrator with a secret key is switched off",
            hint="Set [Bootstrap] Enabled and SecretKey, or use the sign-in link the server prints.",
        )


class BadBootstrapToken(NotSignedIn):
    code = "bad-bootstrap-token"
    number = 166

    def __init__(self) -> None:
        super().__init__(
            "the bootstrap token is not valid",
            hint="Use the server's own secret key, and check that both clocks agree; a token lives 15 minutes.",
        )


class AlreadyBootstrapped(Forbidden):
    code = "already-bootstrapped"
    number = 165

    def __init__(self) -> None:
        super().__init__("there is an administrator already", hint="Sign in, or ask that person for an account.")


class BootstrapSecretUnfit(Invalid):
    code = "bootstrap-secret"

    def __init__(self, why: str) -> None:
        super().__init__(f"[Bootstrap] SecretKey {why}", hint=f"Use: head -c {SHORTEST_SECRET} /dev/urandom | base64")


def secret_of(settings: Bootstrap) -> bytes | None:
    """Return the decoded secret, None when the feature is off. Ask at start, so that a bad one stops the server.

    Raises:
        BootstrapSecretUnfit: missing, unreadable, not base64, or shorter than 32 bytes.
    """
    if not settings.enabled:
        return None
    text = settings.secret_key
    if settings.secret_key_file is not None:
        try:
            text = settings.secret_key_file.read_text()
        except (OSError, UnicodeError) as why:
            raise BootstrapSecretUnfit(f"cannot be read from {settings.secret_key_file}") from why
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as why:
        raise BootstrapSecretUnfit("is not base64") from why
    if len(secret) < SHORTEST_SECRET:
        raise BootstrapSecretUnfit(f"has {len(secret)} bytes; at least {SHORTEST_SECRET} are needed")
    return secret


def check_token(token: str, secret: bytes, now: dt.datetime) -> None:
    """Accept a token as publishing clients sign it, nothing else.

    Raises:
        BadBootstrapToken
    """
    from joserfc import jwt  # needed once in the life of a server
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey

    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": "rsconnect-python"},
            aud={"essential": True, "value": "rsconnect"},
            scope={"essential": True, "value": "bootstrap"},
            iat={"essential": True},
            exp={"essential": True},
        )
        rules.validate(claims)
    except (JoseError, ValueError, TypeError) as why:
        raise BadBootstrapToken from why


async def bootstrap(session: AsyncSession, authorization: str | None, secret: bytes | None, now: dt.datetime) -> str:
    """Make the first administrator and return the first key.

    Raises:
        BootstrapOff: no secret is configured.
        BadBootstrapToken: anything is wrong with the header; also after the first administrator was made.
        AlreadyBootstrapped: there is an administrator.
    """
    if secret is None:
        raise BootstrapOff
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "connect-bootstrap":
        raise BadBootstrapToken
    check_token(token.strip(), secret, now)
    await alone(session, "bootstrap")
    if await users.administrators(session):
        raise AlreadyBootstrapped
    admin = await users.add(session, users.NewUser(username=USERNAME, role=Role.administrator), None, now)
    return (await keys.create(session, admin.id, "bootstrap", now))[1]
