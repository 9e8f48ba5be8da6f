"""What control tells gateways: who may come in, where they are answered, and what to forget."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from support.controlling import World, until

from rostra.app.visits import NO_SECONDS, YES_SECONDS
from rostra.ids import PoolKey

pytestmark = pytest.mark.anyio


async def decide(world: World, path: str, name: str = "") -> dict[str, Any]:
    shown = {"scheme": "key", "value": world.secrets[name]} if name else {"scheme": "none", "value": ""}
    return await world.control.visits.decide(path, shown)


@pytest.mark.parametrize(
    ("access", "name", "to", "why"),
    [
        ("all", "", "pool", "everybody may"),
        ("all", "vic", "pool", "also who is signed in"),
        ("logged_in", "", "control", "nobody knows them"),
        ("logged_in", "vic", "pool", "they are known"),
        ("acl", "vic", "control", "they were given nothing"),
        ("acl", "ada", "pool", "they own it"),
        ("acl", "root", "control", "administrators look after it, they do not look at it"),
    ],
)
async def test_who_may_come_in(world: World, access: str, name: str, to: str, why: str) -> None:
    guid = await world.published(access)
    assert (await decide(world, f"/content/{guid}/", name))["to"] == to, why


async def test_a_decision_says_where_and_who(world: World) -> None:
    guid = await world.published()
    told = await decide(world, f"/content/{guid}/some/page", "vic")
    assert (told["prefix"], told["base"]) == (f"/content/{guid}/", f"/content/{guid}/")
    assert (told["pool"], told["item"], told["ttl"]) == (guid, guid, YES_SECONDS)
    assert told["user"] == (await world.api("GET", "user", name="vic"))["guid"]
    names = [name for name, _ in told["headers"]]
    assert "RStudio-Connect-Credentials" in names
    assert [name for name, _ in (await decide(world, f"/content/{guid}/"))["headers"]] == []


async def test_places_that_are_not_for_processes_are_passed_on(world: World) -> None:
    empty, files = await world.item(), await world.static({"index.html": "hello"})
    locked = await world.published()
    await world.api("PATCH", f"content/{locked}", {"locked": True})
    for path, why in [
        (f"/content/{empty}/", "nothing was published"),
        (f"/content/{files}/", "files need no process"),
        (f"/content/{locked}/", "it is closed"),
        ("/content/00000000-0000-4000-8000-000000000000/", "there is no such item"),
        ("/connect/", "it is no content"),
    ]:
        assert await decide(world, path) == {"to": "control", "ttl": NO_SECONDS}, why
    assert await decide(world, f"/content/{empty}") == {"redirect": f"/content/{empty}/", "ttl": NO_SECONDS}
    nonsense = {"scheme": "key", "value": "no-such-key"}
    assert (await world.control.visits.decide(f"/content/{empty}/", nonsense))["to"] == "control"


async def test_a_draft_is_for_those_who_may_change_it(world: World) -> None:
    guid = await world.published()
    draft = await world.upload(guid)
    assert (await world.deploy(guid, draft, activate=False))["code"] == 0
    path = f"/content/{guid}/_bundle{draft}/"
    assert (await decide(world, path))["to"] == "control"
    told = await decide(world, path, "ada")
    assert (told["pool"], told["base"]) == (f"{guid}@{draft}", path)


async def test_what_a_process_is_given_is_not_remembered_for_long(world: World) -> None:
    guid = await world.published("acl")
    world.secrets["process"] = world.house.launcher.launches[-1].env["CONNECT_API_KEY"]
    assert (await decide(world, f"/content/{guid}/", "process"))["ttl"] == NO_SECONDS


async def test_many_visitors_share_one_start(world: World) -> None:
    guid = await world.published()
    world.house.launcher.crash(world.house.launcher.launches[-1].key, lost=True)
    await until(lambda: not world.running(guid))
    answers = await asyncio.gather(*(world.control.visits.process(PoolKey(guid)) for _ in range(10)))
    assert answers == [True] * 10
    assert len(world.running(guid)) == 1
    assert len(world.house.launcher.launches) == 2


async def test_no_process_for_what_is_not_there(world: World) -> None:
    assert not await world.control.visits.process(PoolKey("00000000-0000-4000-8000-000000000000"))
    assert not await world.control.visits.process(PoolKey(await world.item()))


class Gateway:
    """Listens to what control pushes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def heard(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while (message := json.loads(await self.reader.readline())).get("push") != kind:
                pass
        assert isinstance(message, dict)
        return message


async def connected(world: World) -> Gateway:
    return Gateway(*await asyncio.open_unix_connection(world.house.folder / "run" / "decide.sock"))


async def test_a_gateway_is_brought_up_to_date_when_it_connects(world: World) -> None:
    guid = await world.published()
    await world.api("PUT", f"content/{guid}/vanity", {"path": "/sales/"})
    assert await world.control.visits.process(PoolKey(guid))
    gateway = await connected(world)
    assert (await gateway.heard("vanities"))["paths"] == ["/sales/"]
    pool = await gateway.heard("pool")
    assert (pool["pool"], [row["key"] for row in pool["processes"]]) == (guid, world.running(guid))
    gateway.writer.close()


async def test_a_change_is_pushed_under_every_name_the_item_has_or_had(world: World) -> None:
    guid, other = await world.published(), await world.published()
    await world.api("PUT", f"content/{other}/vanity", {"path": "/others/"})
    gateway = await connected(world)
    await gateway.heard("vanities")
    await world.api("PUT", f"content/{guid}/vanity", {"path": "/sales/"})
    assert [(await gateway.heard("forget"))["prefix"] for _ in range(2)] == [f"/content/{guid}/", "/sales/"]
    assert sorted((await gateway.heard("vanities"))["paths"]) == ["/others/", "/sales/"]
    await world.api("PUT", f"content/{guid}/vanity", {"path": "/figures/"})
    told = [(await gateway.heard("forget"))["prefix"] for _ in range(3)]
    assert told == [f"/content/{guid}/", "/sales/", "/figures/"], "not those of other items"
    gateway.writer.close()


async def test_a_revoked_key_makes_gateways_forget_everybody(world: World) -> None:
    me = (await world.api("GET", "user"))["guid"]
    made = await world.api("POST", f"users/{me}/keys", {"name": "another"})
    gateway = await connected(world)
    await gateway.heard("vanities")
    await world.api("DELETE", f"users/{me}/keys/{made['id']}")
    assert await gateway.heard("forget") == {"push": "forget", "prefix": None, "credential": None}
    gateway.writer.close()
