"""Tokens for machines. What each scope opens is in the authorisation tests, made from the routes."""

import datetime as dt

import pytest
import sqlalchemy as sa
from support.api import World
from support.moments import NOON

from rostra.auth.credentials import Credential, Scheme, who
from rostra.auth.principals import BadCredential
from rostra.auth.tables import ServiceToken
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
PATH = "v1/system/service-tokens"


async def made(world: World, name: str = "monitor", *scopes: str, **more: str) -> dict[str, str]:
    return await world.client("root").made(PATH, {"name": name, "scopes": scopes or ["audit:read"], **more})  # type: ignore[no-any-return]


async def test_the_secret_is_told_once(world: World) -> None:
    shown = await made(world, "monitor", "system:read", "audit:read", "audit:read")
    secret = shown.pop("token")
    assert shown == {
        "guid": shown["guid"],
        "name": "monitor",
        "scopes": ["audit:read", "system:read"],
        "created_by": world.users["root"].guid,
        "created_time": "2026-09-01T12:00:00Z",
        "active_time": None,
        "expires_at": None,
    }
    assert await world.client("root").read(PATH) == [shown]
    async with transaction(world.live.reading) as session:
        assert secret not in str((await session.execute(sa.select(ServiceToken.token_hash))).scalar_one())


@pytest.mark.parametrize("header", ["authorization", "x-rsc-authorization"])
async def test_it_is_shown_like_a_key_and_is_nobody(world: World, header: str) -> None:
    shown = await made(world)
    machine = world.client(**{header: f"Key {shown['token']}"})
    assert (await machine.get("v1/audit_logs")).status_code == 200
    answer = await machine.get("v1/user")
    assert (answer.status_code, answer.json()["code"]) == (403, 22)
    assert (await world.client("root").read(PATH))[0]["active_time"] == "2026-09-01T12:00:00Z"


async def test_it_opens_no_content(world: World) -> None:
    shown = await made(world)
    async with transaction(world.live.reading) as session:
        with pytest.raises(BadCredential):
            await who(session, Credential(Scheme.key, shown["token"]), world.live.settings().authentication, NOON)


async def test_one_that_was_removed_or_has_expired_is_refused(world: World) -> None:
    gone, late = await made(world, "gone"), await made(world, "late", expires_at="2026-09-01T13:00:00Z")
    assert (await world.client("root").ask("DELETE", f"{PATH}/{gone['guid']}")).status_code == 204
    world.clock.move(hours=1)
    for shown in (gone, late):
        answer = await world.client(authorization=f"Key {shown['token']}").get("v1/audit_logs")
        assert (answer.status_code, answer.json()["code"]) == (401, 30)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"scopes": ["audit:read"]}, 400, 25),
        ({"name": " ", "scopes": ["audit:read"]}, 400, 25),
        ({"name": "x"}, 400, 25),
        ({"name": "x", "scopes": []}, 400, 25),
        ({"name": "x", "scopes": ["everything"]}, 400, 25),
        ({"name": "x", "scopes": "audit:read"}, 400, 25),
        ({"name": "x", "scopes": ["audit:read"], "expires_at": "2026-01-01T00:00:00Z"}, 400, 25),
        ({"name": "x", "scopes": ["audit:read"], "expires_at": "9999-12-31T23:59:59-14:00"}, 400, 25),
        ({"name": "monitor", "scopes": ["audit:read"]}, 409, 26),
    ],
)
async def test_what_cannot_be_made(world: World, body: object, status: int, code: int) -> None:
    await made(world)
    answer = await world.client("root").post(PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_scopes_are_listed_with_what_they_open(world: World) -> None:
    found = await world.client("root").read(f"{PATH}/scopes")
    assert "server-settings:read" in [one["name"] for one in found]
    assert all(one["description"].endswith(".") for one in found)


async def test_an_entry_of_the_audit_log_tells_no_secret(world: World) -> None:
    shown = await made(world)
    (entry,) = (await world.client("root").read("v1/audit_logs?limit=1"))["results"]
    told = await world.client("root").read(f"v1/audit_logs/{entry['id']}")
    assert entry["action"] == "create_service_token"
    assert shown["token"] not in str(told)
    assert dt.datetime.fromisoformat(entry["time"]) == NOON
