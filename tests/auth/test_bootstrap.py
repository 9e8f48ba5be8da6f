import asyncio
import base64
import datetime as dt
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from support.moments import NOON
from support.people import person

from rostra.auth import bootstrap as boot
from rostra.auth.bootstrap import AlreadyBootstrapped, BadBootstrapToken, BootstrapOff, BootstrapSecretUnfit
from rostra.auth.credentials import Credential, Scheme, who
from rostra.auth.principals import Role
from rostra.config.sections import Authentication, Bootstrap
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
SECRET = bytes(range(32))


def token(secret: bytes = SECRET, *, without: str = "", header: dict[str, str] | None = None, **claims: object) -> str:
    good: dict[str, object] = {
        "iss": "rsconnect-python",
        "aud": "rsconnect",
        "scope": "bootstrap",
        "iat": int(NOON.timestamp()),
        "exp": int((NOON + dt.timedelta(minutes=15)).timestamp()),
    }
    wanted = {name: value for name, value in {**good, **claims}.items() if name != without}
    return jwt.encode(header or {"alg": "HS256"}, wanted, OctKey.import_key(secret), algorithms=["HS256", "HS512"])


async def test_it_makes_an_administrator_whose_key_works(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        key = await boot.bootstrap(session, f"Connect-Bootstrap {token()}", SECRET, NOON)
        found = await who(session, Credential(Scheme.key, key), Authentication(), NOON)
    assert found is not None
    assert (found.username, found.role) == ("__bootstrap_admin__", Role.administrator)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "missing"),
        ("", "empty"),
        ("Connect-Bootstrap", "no token"),
        ("Connect-Bootstrap nonsense", "not a token"),
        ("Connect-Bootstrap a.b.c", "shaped like one"),
        (f"Key {token()}", "another scheme"),
        (f"Bearer {token()}", "another scheme"),
        (f"Connect-Bootstrap {token(bytes(32))}", "another secret"),
        (f"Connect-Bootstrap {token(iss='me')}", "wrong issuer"),
        (f"Connect-Bootstrap {token(aud='me')}", "wrong audience"),
        (f"Connect-Bootstrap {token(scope='all')}", "wrong scope"),
        (f"Connect-Bootstrap {token(exp=int(NOON.timestamp()) - 61)}", "expired"),
        (f"Connect-Bootstrap {token(exp='soon')}", "expiry is not a number"),
        (f"Connect-Bootstrap {token(iat=int(NOON.timestamp()) + 3600)}", "from the future"),
        (f"Connect-Bootstrap {token(header={'alg': 'HS512'}, secret=bytes(range(64)))}", "another algorithm"),
        *((f"Connect-Bootstrap {token(without=name)}", f"no {name}") for name in ("iss", "aud", "scope", "iat", "exp")),
    ],
)
async def test_a_bad_token_is_refused(header: str | None, why: str, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        with pytest.raises(BadBootstrapToken):
            await boot.bootstrap(session, header, SECRET, NOON)


async def test_an_unsigned_token_is_refused(sessions: Sessions) -> None:
    head, body, _ = token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    async with transaction(sessions) as session:
        for forged in (f"{none}.{body}.", f"{head}.{body}."):
            with pytest.raises(BadBootstrapToken):
                await boot.bootstrap(session, f"Connect-Bootstrap {forged}", SECRET, NOON)


async def test_a_second_time_is_refused(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await person(session, "root", NOON, Role.administrator)
        with pytest.raises(AlreadyBootstrapped):
            await boot.bootstrap(session, f"Connect-Bootstrap {token()}", SECRET, NOON)


async def test_a_bad_token_is_said_first_also_later(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await person(session, "root", NOON, Role.administrator)
        with pytest.raises(BadBootstrapToken):
            await boot.bootstrap(session, "Connect-Bootstrap x", SECRET, NOON)


async def test_off_is_said(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        with pytest.raises(BootstrapOff):
            await boot.bootstrap(session, f"Connect-Bootstrap {token()}", None, NOON)


async def test_of_many_at_once_one_wins(sessions: Sessions) -> None:
    async def attempt() -> bool:
        try:
            async with transaction(sessions) as session:
                await boot.bootstrap(session, f"Connect-Bootstrap {token()}", SECRET, NOON)
        except AlreadyBootstrapped:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(4)))) == 1


@pytest.mark.parametrize(
    ("secret", "why"), [("", "empty"), ("!!!", "not base64"), (base64.b64encode(bytes(31)).decode(), "too short")]
)
def test_an_unfit_secret_is_said(secret: str, why: str) -> None:
    with pytest.raises(BootstrapSecretUnfit):
        boot.secret_of(Bootstrap(enabled=True, secret_key=secret))


def test_the_secret_comes_from_the_setting_or_a_file(tmp_path: Path) -> None:
    text = base64.b64encode(SECRET).decode()
    (tmp_path / "key").write_text(text + "\n")
    assert boot.secret_of(Bootstrap(enabled=False, secret_key=text)) is None
    assert boot.secret_of(Bootstrap(enabled=True, secret_key=text)) == SECRET
    assert boot.secret_of(Bootstrap(enabled=True, secret_key_file=tmp_path / "key")) == SECRET
    with pytest.raises(BootstrapSecretUnfit):
        boot.secret_of(Bootstrap(enabled=True, secret_key_file=tmp_path / "absent"))
