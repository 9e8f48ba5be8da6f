"""The first administrator, made by the client; every way in which that is refused."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from support import interpreters
from support.server import Reply, Server, running_server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

PATH = "/__api__/v1/experimental/bootstrap"


def token(secret: str, **changed: object) -> str:
    """Sign what the client signs, with some claims changed."""
    now = int(time.time())
    claims = {"iss": "rsconnect-python", "aud": "rsconnect", "scope": "bootstrap", "iat": now, "exp": now + 900}
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, kept, OctKey.import_key(base64.b64decode(secret)))


def ask(server: Server, shown: str) -> Reply:
    return server.get(PATH, method="POST", Authorization=shown)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody has made an administrator for yet."""
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("fresh"), [python], start=False) as made:
        made.start()
        yield made


def strange(fresh: Server) -> dict[str, str]:
    now, own = int(time.time()), fresh.secret
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "nothing": "",
        "another secret": f"Connect-Bootstrap {token(other)}",
        "another issuer": f"Connect-Bootstrap {token(own, iss='somebody')}",
        "another audience": f"Connect-Bootstrap {token(own, aud='somebody')}",
        "another scope": f"Connect-Bootstrap {token(own, scope='everything')}",
        "no scope": f"Connect-Bootstrap {token(own, scope=None)}",
        "expired": f"Connect-Bootstrap {token(own, iat=now - 2000, exp=now - 1000)}",
        "never expires": f"Connect-Bootstrap {token(own, exp=None)}",
        "no token": "Connect-Bootstrap not-a-token",
        "a key": "Connect-Bootstrap " + "k" * 32,
        "another scheme": f"Bearer {token(own)}",
    }


def test_whatever_is_wrong_with_the_token_is_401(fresh: Server) -> None:
    for what, shown in strange(fresh).items():
        answer = ask(fresh, shown)
        assert answer.status == 401, what
        assert not json.loads(answer.text).get("api_key"), what


def test_the_client_says_that_the_secret_is_wrong(fresh: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    said = json.loads(fresh.client("bootstrap", "-s", fresh.url, "--jwt-keypath", tmp_path / "secret").stdout)
    assert (said["status"], said["api_key"]) == (401, "")


def test_it_works_once_and_then_never_again(fresh: Server) -> None:
    fresh.bootstrap()
    assert fresh.key
    for path in ("/__api__/me", "/__api__/v1/user"):
        assert fresh.ask(path)["user_role"] == "administrator"
    assert ask(fresh, f"Connect-Bootstrap {token(fresh.secret)}").status == 403
    assert ask(fresh, f"Connect-Bootstrap {fresh.key}").status == 401, "a key is no token"


def test_the_token_is_good_for_nothing_else(server: Server) -> None:
    shown = f"Connect-Bootstrap {token(server.secret)}"
    for path in ("/__api__/me", "/__api__/v1/user", "/__api__/v1/content"):
        assert server.get(path, Authorization=shown).status == 401
        assert server.get(path, Authorization="Bearer nonsense").status == 401


def test_where_it_is_switched_off_it_is_not_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("off")
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    assert python is not None
    with running_server(folder, [python], bootstrap=False) as off:
        assert ask(off, f"Connect-Bootstrap {token(off.secret)}").status == 404
        (folder / "secret").write_text(off.secret)
        said = json.loads(off.client("bootstrap", "-s", off.url, "--jwt-keypath", folder / "secret").stdout)
        assert (said["status"], said["api_key"]) == (404, "")


def test_an_account_is_added_and_a_bad_key_is_refused(server: Server) -> None:
    server.client("add", "-n", "again", "-s", server.url, "-k", server.key)
    assert "again" in server.client("list").stdout
    server.client("remove", "-n", "again")
    refused = server.client("add", "-n", "bad", "-s", server.url, "-k", "k" * 32, check=False)
    assert refused.returncode == 1
    assert "not valid" in refused.stdout + refused.stderr


def test_an_address_without_a_scheme_is_understood(server: Server) -> None:
    server.client("add", "-n", "bare", "-s", f"127.0.0.1:{server.port}", "-k", server.key)
    server.client("remove", "-n", "bare")


def test_details_names_the_installed_pythons(server: Server, minors: list[str]) -> None:
    told = server.client("details", "-n", "rostra").stdout
    assert all(minor in told for minor in minors)
