from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from support.items import add_user
from support.moments import NOON, MovedClock

from rostra.content import integrations, oauth_provider, oauth_sessions
from rostra.content.oauth_provider import ProviderConfig, ProviderUnavailable, TokenRefused, Tokens
from rostra.content.oauth_tokens import NotConnected, OAuthTokens, RefreshFailed
from rostra.content.variables import Box
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
CONFIG = {"client_id": "me", "client_secret": "hush", "token_uri": "https://p.example/token", "scopes": "a b"}
CONFIG |= {"authorization_uri": "https://p.example/auth"}


@dataclass
class Endpoint:
    """A token endpoint that answers what it is told to, and remembers what it was asked."""

    url: str = ""
    status: int = 200
    answer: Any = field(default_factory=lambda: {"access_token": "t", "expires_in": 600})
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[dict[str, list[str]], str]] = field(default_factory=list)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            made.asked.append((form, self.headers.get("authorization", "")))
            answer = made.answer(form) if callable(made.answer) else made.answer
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(made.status)
            for name, value in {"Content-Length": str(len(raw)), **made.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"token_uri": ""},
        {"token_uri": "file:///etc/passwd"},
        {"token_uri": "https://u:p@h/x"},
        {"token_uri": "https://h/x y"},
        {"token_endpoint_auth_method": "private_key_jwt"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ProviderConfig):
        oauth_provider.provider(CONFIG | change)


@pytest.mark.parametrize(
    ("change", "method", "pkce"),
    [
        ({}, "client_secret_basic", True),
        ({"client_secret": ""}, "none", True),
        ({"token_endpoint_auth_method": "client_secret_post", "use_pkce": "false"}, "client_secret_post", False),
        ({"use_pkce": False}, "client_secret_basic", False),
    ],
)
def test_what_is_not_said_has_a_default(change: dict[str, Any], method: str, pkce: bool) -> None:
    found = oauth_provider.provider(CONFIG | change)
    assert (found.method, found.pkce) == (method, pkce)


def test_the_sign_in_address_has_all_the_provider_needs() -> None:
    found = oauth_provider.provider(CONFIG | {"authorization_uri": "https://p.example/auth?tenant=1"})
    url = oauth_provider.authorization_url(found, redirect_uri="https://r/back", state="s&t", verifier="v")
    asked = parse_qs(urlsplit(url).query)
    assert (asked["tenant"], asked["state"], asked["redirect_uri"]) == (["1"], ["s&t"], ["https://r/back"])
    assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["a b"])
    assert "hush" not in url


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"access_token": ""}, {"access_token": 3}, {"error": "invalid_grant"}]
)
def test_an_answer_without_a_token_is_none(answer: object) -> None:
    with pytest.raises(TokenRefused):
        oauth_provider.read_tokens(answer)


@pytest.mark.parametrize(("said", "lifetime"), [(60, 60.0), ("60", 60.0), (None, None), ("soon", None), (-5, 0.0)])
def test_how_long_a_token_lives(said: object, lifetime: float | None) -> None:
    assert oauth_provider.read_tokens({"access_token": "t", "expires_in": said}).lifetime == lifetime


async def test_the_client_shows_its_secret_in_the_way_that_is_configured(endpoint: Endpoint) -> None:
    for method in ("client_secret_basic", "client_secret_post", "none"):
        config = CONFIG | {"token_uri": endpoint.url, "token_endpoint_auth_method": method}
        await oauth_provider.of_client(oauth_provider.provider(config))
    (basic, shown), (post, nothing), (none, _) = endpoint.asked
    assert base64.b64decode(shown.removeprefix("Basic ")) == b"me:hush"
    assert "client_secret" not in basic
    assert (post["client_secret"], nothing) == (["hush"], "")
    assert (none["client_id"], "client_secret" in none) == (["me"], False)


@pytest.mark.parametrize(
    ("status", "answer", "headers", "refused"),
    [
        (400, {"error": "invalid_client", "error_description": "who?"}, {}, TokenRefused),
        (401, b"<html>", {}, TokenRefused),
        (200, b"not json", {}, TokenRefused),
        (302, {}, {"Location": "http://169.254.169.254/latest"}, TokenRefused),
        (503, {}, {}, ProviderUnavailable),
    ],
)
async def test_whatever_a_provider_answers_is_understood(
    endpoint: Endpoint, status: int, answer: Any, headers: dict[str, str], refused: type[Exception]
) -> None:
    endpoint.status, endpoint.answer, endpoint.headers = status, answer, headers
    with pytest.raises(refused):
        await oauth_provider.of_client(oauth_provider.provider(CONFIG | {"token_uri": endpoint.url}))
    assert len(endpoint.asked) == 1


async def test_a_provider_that_is_not_there_is_said_to_be() -> None:
    with pytest.raises(ProviderUnavailable):
        await oauth_provider.of_client(oauth_provider.provider(CONFIG | {"token_uri": "http://127.0.0.1:1/token"}))


@dataclass
class Scene:
    tokens: OAuthTokens
    integration: Any
    user_id: int
    clock: MovedClock
    sessions: Sessions


@pytest.fixture
async def scene(sessions: Sessions, endpoint: Endpoint) -> Scene:
    clock, box = MovedClock(), Box([Fernet.generate_key()])
    async with transaction(sessions) as session:
        user = await add_user(session, "vic")
        config = CONFIG | {"token_uri": endpoint.url}
        given = {"name": "P", "template": "custom", "config": config}
        made = await integrations.create(session, box, given, NOON)
        number = user.id
    return Scene(OAuthTokens(sessions, sessions, box, clock), made, number, clock, sessions)


async def test_somebody_who_has_not_signed_in_is_told_where(scene: Scene) -> None:
    with pytest.raises(NotConnected, match="/where"):
        await scene.tokens.of_visitor(scene.integration, scene.user_id, "/where")


async def test_many_at_once_make_a_token_anew_once(scene: Scene, endpoint: Endpoint) -> None:
    endpoint.answer = lambda form: {"access_token": "new", "refresh_token": "r2", "expires_in": 600}
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=600))
    assert await scene.tokens.of_visitor(scene.integration, scene.user_id, "") == "old"
    scene.clock.move(minutes=10)
    found = await asyncio.gather(*(scene.tokens.of_visitor(scene.integration, scene.user_id, "") for _ in range(5)))
    assert found == ["new"] * 5
    assert [form["refresh_token"] for form, _ in endpoint.asked] == [["r1"]]


async def test_a_refresh_token_is_kept_when_no_other_comes(scene: Scene, endpoint: Endpoint) -> None:
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=1))
    for _ in range(2):
        await scene.tokens.of_visitor(scene.integration, scene.user_id, "")
        scene.clock.move(hours=1)
    assert [form["refresh_token"] for form, _ in endpoint.asked] == [["r1"], ["r1"]]


async def test_a_session_the_provider_ended_is_forgotten(scene: Scene, endpoint: Endpoint) -> None:
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=1))
    endpoint.status, endpoint.answer = 400, {"error": "invalid_grant"}
    with pytest.raises(RefreshFailed):
        await scene.tokens.of_visitor(scene.integration, scene.user_id, "/where")
    with pytest.raises(NotConnected):
        await scene.tokens.of_visitor(scene.integration, scene.user_id, "/where")


async def test_a_sign_in_stays_when_the_session_before_it_is_found_ended_meanwhile(
    scene: Scene, endpoint: Endpoint
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def refused(_: Any) -> dict[str, str]:
        asked.set()
        go_on.wait(30)
        return {"error": "invalid_grant"}

    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=1))
    endpoint.status, endpoint.answer = 400, refused
    refreshing = asyncio.create_task(scene.tokens.of_visitor(scene.integration, scene.user_id, "/where"))
    await asyncio.to_thread(asked.wait, 30)
    again = Tokens(access="again", refresh="r2", lifetime=600)
    keeping = asyncio.create_task(scene.tokens.keep(scene.integration, scene.user_id, again))
    await asyncio.wait([keeping], timeout=0.2)
    go_on.set()
    with pytest.raises(RefreshFailed):
        await refreshing
    await keeping
    assert await scene.tokens.of_visitor(scene.integration, scene.user_id, "/where") == "again"


async def test_a_sign_in_that_comes_back_twice_at_once_is_kept(scene: Scene) -> None:
    each = [Tokens(access=f"t{number}", refresh=None, lifetime=None) for number in range(4)]
    await asyncio.gather(*(scene.tokens.keep(scene.integration, scene.user_id, tokens) for tokens in each))
    assert await scene.tokens.of_visitor(scene.integration, scene.user_id, "") == "t3"


def test_a_lifetime_beyond_numbers_is_none() -> None:
    assert oauth_provider.read_tokens({"access_token": "t", "expires_in": 10**400}).lifetime is None


async def test_a_provider_that_is_away_ends_no_session(scene: Scene, endpoint: Endpoint) -> None:
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=1))
    endpoint.status = 503
    with pytest.raises(ProviderUnavailable):
        await scene.tokens.of_visitor(scene.integration, scene.user_id, "")
    endpoint.status = 200
    assert await scene.tokens.of_visitor(scene.integration, scene.user_id, "") == "t"


async def test_an_accounts_token_is_asked_for_again_when_it_ends(scene: Scene, endpoint: Endpoint) -> None:
    for _ in range(3):
        assert await scene.tokens.of_account(scene.integration) == "t"
    assert len(endpoint.asked) == 1
    scene.clock.move(minutes=10)
    await scene.tokens.of_account(scene.integration)
    assert len(endpoint.asked) == 2


async def test_tokens_are_encrypted_where_they_are_kept(scene: Scene) -> None:
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="access-1", refresh="r-1", lifetime=None))
    async with transaction(scene.sessions) as session:
        row = await oauth_sessions.find(session, scene.integration, scene.user_id)
        assert row is not None
        assert "access-1" not in row.tokens
        assert oauth_sessions.opened(scene.tokens.box, row) == ("access-1", "r-1")
        assert oauth_sessions.is_fresh(row, NOON + dt.timedelta(days=9))


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """Serve an answer of which a byte comes every now and then, without end, after a beginning."""
    stop, threads, listener = threading.Event(), [], socket.create_server(("127.0.0.1", 0))
    begins: list[bytes] = []

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(begins[0])
            while not stop.wait(0.02):
                connection.sendall(b"x")

    def serve(begin: bytes) -> str:
        begins.append(begin)
        threads.append(threading.Thread(target=drip))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/token"

    yield serve
    stop.set()
    for thread in threads:
        thread.join()
    listener.close()


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: ",
        b"",
    ],
)
async def test_an_answer_that_comes_byte_by_byte_is_cut(
    dripping: Callable[[bytes], str], begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_provider, "SECONDS", 1.0)
    monkeypatch.setattr(oauth_provider, "_WAIT", 60.0)
    found = oauth_provider.provider({**CONFIG, "token_uri": dripping(begin)})
    async with asyncio.timeout(60):
        with pytest.raises(ProviderUnavailable, match="took too long"):
            await oauth_provider.of_client(found)


async def test_of_two_servers_the_second_takes_what_the_first_was_given(scene: Scene, endpoint: Endpoint) -> None:
    other = OAuthTokens(scene.tokens.sessions, scene.tokens.reading, scene.tokens.box, scene.clock)
    await scene.tokens.keep(scene.integration, scene.user_id, Tokens(access="old", refresh="r1", lifetime=1))
    both, first_done, turn = threading.Event(), threading.Event(), iter((1, 2))

    def once(_: Any) -> dict[str, Any]:
        if next(turn) == 1:
            both.wait(30)
            return {"access_token": "new", "refresh_token": "r2", "expires_in": 600}
        both.set()
        first_done.wait(30)
        endpoint.status = 400
        return {"error": "invalid_grant"}

    endpoint.answer = once
    asked = {
        asyncio.create_task(each.of_visitor(scene.integration, scene.user_id, "")) for each in (scene.tokens, other)
    }
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    first_done.set()
    assert [await each for each in asked] == ["new", "new"]
    async with transaction(scene.tokens.reading) as session:
        row = await oauth_sessions.find(session, scene.integration, scene.user_id)
    assert row is not None
    assert oauth_sessions.opened(scene.tokens.box, row) == ("new", "r2")
