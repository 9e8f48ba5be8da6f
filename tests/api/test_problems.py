"""The rules every answer follows, whatever the route."""

import asyncio
import json

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.routing import Mount
from support import api
from support.api import World, item_of

from rostra import errors
from rostra.api.app import application
from rostra.api.problems import body_of, status_of
from rostra.auth.principals import BadCredential
from rostra.auth.tables import User
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path", ["nonsense", "v1/nonsense", "v2/user", "v1/content/x/nonsense", "v1/user/", "v1//user"]
)
@pytest.mark.parametrize("who", [None, "ada"])
async def test_an_unknown_route_is_plain_text(world: World, path: str, who: str | None) -> None:
    answer = await world.client(who).get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


async def test_an_unknown_object_is_json(world: World) -> None:
    answer = await world.client("ada").get("v1/content/33333333-3333-3333-3333-333333333333")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 4
    assert list(answer.json()) == ["code", "error", "payload"]
    assert answer.json()["payload"] is None


async def test_a_method_that_is_not_served_is_json(world: World) -> None:
    answer = await world.client("ada").ask("DELETE", "v1/user")
    assert (answer.status_code, answer.json()["code"]) == (405, 2)


async def test_no_credential_is_401_code_24(world: World) -> None:
    answer = await world.client().get("v1/user")
    assert (answer.status_code, answer.json()["code"]) == (401, 24)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Key nonsense"},
        {"x-rsc-authorization": "Key nonsense"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Connect-Bootstrap a.b.c"},
    ],
)
@pytest.mark.parametrize("path", ["v1/user", "me", "v1/content"])
async def test_a_bad_credential_is_401_code_30(world: World, headers: dict[str, str], path: str) -> None:
    answer = await world.client(**headers).get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, 30)


async def test_the_other_header_is_as_good(world: World) -> None:
    answer = await world.client(**{"x-rsc-authorization": f"Key {world.keys['ada']}"}).get("v1/user")
    assert answer.json()["username"] == "ada"


async def test_a_key_needs_no_xsrf_token_even_with_stray_cookies(world: World) -> None:
    client = await world.browser("bob", xsrf=False)
    answer = await client.post("v1/content", {"name": "mine"}, headers={"authorization": f"Key {world.keys['ada']}"})
    assert answer.status_code == 201
    assert answer.json()["owner_guid"] == world.users["ada"].guid


async def test_a_browser_without_the_xsrf_token_may_only_read(world: World) -> None:
    client = await world.browser("ada", xsrf=False)
    assert (await client.get("v1/user")).status_code == 200
    answer = await client.post("v1/content", {})
    assert (answer.status_code, answer.json()["code"]) == (403, 92)


async def test_a_browser_with_the_xsrf_token_may_write(world: World) -> None:
    assert (await (await world.browser("ada")).post("v1/content", {})).status_code == 201


async def test_nobody_learns_of_a_bad_body_before_saying_who_they_are(world: World) -> None:
    assert (await world.client().post("v1/content", b"{")).status_code == 401


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b"null", "nothing"),
        (b"\xff\xfe", "not text"),
        (b"[" * 100_000, "too deep"),
        (b'"x"', "a text"),
    ],
)
async def test_a_bad_body_is_400(world: World, body: bytes, why: str) -> None:
    answer = await world.client("ada").post("v1/content", body)
    assert (answer.status_code, answer.json()["code"]) == (400, 87), why


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""]
)
async def test_json_is_json_whatever_its_media_type(world: World, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = await world.client("ada").post("v1/content", {"name": "mine"}, headers=headers)
    assert answer.json()["name"] == "mine"


async def test_a_body_without_end_is_refused(world: World) -> None:
    answer = await world.client("ada").post("v1/content", b" " * 4_000_001)
    assert (answer.status_code, answer.json()["code"]) == (413, 125)


async def test_unknown_query_parameters_are_ignored(world: World) -> None:
    assert (await world.client("ada").get("v1/content?nonsense=1&include=owner,nothing")).status_code == 200


async def test_a_bad_query_parameter_is_400(world: World) -> None:
    answer = await world.client("ada").get("v1/users?page_size=many")
    assert (answer.status_code, answer.json()["code"]) == (400, 25)


async def test_nothing_is_compressed_or_kept(world: World) -> None:
    answer = await world.client("ada").get("v1/content", headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("case", ["nobody", "bad key", "no route", "no such content"])
async def test_an_upload_is_read_to_its_end_before_it_is_refused(world: World, case: str) -> None:
    """The client would otherwise see a broken connection instead of the reason."""
    sent = 0

    async def slowly() -> object:
        nonlocal sent
        for _ in range(20):
            sent += 1
            yield bytes(1000)

    guid = (await item_of(world))["guid"]
    client = {"nobody": world.client(), "bad key": world.client(authorization="Key x")}.get(case, world.client("ada"))
    path = {
        "no route": "v1/nonsense",
        "no such content": "v1/content/33333333-3333-3333-3333-333333333333/bundles",
    }.get(case, f"v1/content/{guid}/bundles")
    answer = await client.http.post(path, content=slowly())  # type: ignore[arg-type]
    assert answer.status_code in (401, 404)
    assert sent == 20


async def test_a_failed_request_leaves_nothing(world: World) -> None:
    client = world.client("ada")
    guid = (await item_of(world))["guid"]
    changed = await client.ask("PATCH", f"v1/content/{guid}", {"title": "A new title", "owner_guid": "nobody"})
    assert changed.status_code == 404
    assert (await client.read(f"v1/content/{guid}"))["title"] is None


async def test_a_bug_is_told_to_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: object, **more: object) -> None:
        raise KeyError("the inner workings")

    monkeypatch.setattr("rostra.api.shapes.listing", broken)
    answer = await world.client("ada").get("v1/content")
    assert (answer.status_code, answer.json()["code"]) == (500, 1)
    assert "inner workings" not in answer.text


async def test_a_locked_account_is_nobody_at_once(world: World) -> None:
    await world.change(User, locked=True)
    assert (await world.client("ada").get("v1/user")).json()["code"] == 30


async def test_use_is_recorded(world: World) -> None:
    client = world.client("ada")
    assert (await client.read("v1/users/" + world.users["bob"].guid))["active_time"] is None
    assert (await client.read("v1/user"))["active_time"] == "2026-09-01T12:00:00Z"


@pytest.mark.parametrize(
    ("problem", "status", "why"),
    [
        (errors.Invalid("x"), 400, "the caller's mistake"),
        (errors.TooLarge("x"), 413, "a more exact family wins"),
        (BadCredential(), 401, "subclasses follow their family"),
        (errors.Forbidden("x"), 403, ""),
        (errors.NotFound("x"), 404, ""),
        (errors.Conflict("x"), 409, ""),
        (errors.Gone("x"), 410, ""),
        (errors.Unavailable("x"), 503, ""),
        (errors.Problem("x"), 500, "no family"),
    ],
)
def test_status_table(problem: errors.Problem, status: int, why: str) -> None:
    assert status_of(problem) == status, why
    assert isinstance(body_of(problem)["code"], int)
    json.dumps(body_of(problem))


async def test_many_writers_at_once_all_succeed(world: World) -> None:
    client = world.client("ada")
    answers = await asyncio.gather(*(client.post("v1/content", {"name": f"item-{n}"}) for n in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    same = await asyncio.gather(*(client.post("v1/content", {"name": "same"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in same) == [201, 409, 409, 409, 409]


async def test_a_database_that_is_away_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: object, **more: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("database is locked"))

    monkeypatch.setattr("rostra.api.shapes.listing", away)
    answer = await world.client("ada").get("v1/content")
    assert answer.status_code == 503
    assert "SELECT" not in answer.text


async def test_a_collision_is_409(world: World) -> None:
    async with transaction(world.live.sessions) as session:
        session.add(
            User(guid="g", username="g", role="viewer", created_at=world.clock.now(), updated_at=world.clock.now())
        )
    app = application()

    @app.get("/collide")
    async def collide() -> None:
        async with transaction(world.live.sessions) as session:
            now = world.clock.now()
            session.add(User(guid="g", username="other", role="viewer", created_at=now, updated_at=now))

    client = api.Client(Starlette(routes=[Mount("/__api__", app)]), {})
    answer = await client.get("collide")
    await client.http.aclose()
    assert (answer.status_code, answer.json()["code"]) == (409, 80)
