"""What of other people somebody is shown, with and without the two settings that narrow it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa
from support.api import Client, World

from rostra.auth.tables import User
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio

ADDRESS = "@example.org"
EVERYBODY = ["ada", "bob", "root", "vic"]


def configure(world: World, *, hide: bool = False, only: bool = False) -> None:
    old = world.live.settings()
    settings = dataclasses.replace(
        old,
        server=dataclasses.replace(old.server, hide_email_addresses=hide),
        authorization=dataclasses.replace(old.authorization, viewers_can_only_see_themselves=only),
    )
    object.__setattr__(world.live, "settings", lambda: settings)


async def addressed(world: World) -> None:
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.update(User).values(email=User.username + ADDRESS))


async def names(client: Client, path: str = "v1/users") -> list[str]:
    found = await client.read(path)
    assert found["total"] == len(found["results"])
    return sorted(row.get("username", row.get("name")) for row in found["results"])


async def group_of(world: World, name: str, *members: str) -> str:
    ada = world.client("ada")
    guid = (await ada.made("v1/groups", {"name": name}))["guid"]
    for member in members:
        added = await ada.post(f"v1/groups/{guid}/members", {"user_guid": world.users[member].guid})
        assert added.status_code == 204
    return str(guid)


async def shown_to_vic(world: World) -> str:
    ada = world.client("ada")
    guid = (await ada.made("v1/content", {"name": "sales"}))["guid"]
    for name in ("vic", "bob"):
        given = {"principal_guid": world.users[name].guid, "principal_type": "user", "role": "viewer"}
        await ada.made(f"v1/content/{guid}/permissions", given)
    return str(guid)


async def emails(client: Client, path: str) -> dict[str, str]:
    found = await client.read(path)
    rows = found["results"] if isinstance(found, dict) and "results" in found else found
    return {row["username"]: row["email"] for row in (rows if isinstance(rows, list) else [rows])}


@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("name", ["root", "ada", "vic"])
async def test_addresses_are_hidden_from_all_but_administrators_and_their_owner(
    world: World, name: str, hide: bool
) -> None:
    await addressed(world)
    group, item = await group_of(world, "sales", "bob", "vic"), await shown_to_vic(world)
    ada = world.client("ada")
    await ada.ask("PUT", f"v1/content/{item}/failure-subscribers/{world.users['bob'].guid}")
    configure(world, hide=hide)
    client = world.client(name)
    sees_all = name == "root" or not hide

    def expected(*people: str) -> dict[str, str]:
        return {one: one + ADDRESS if sees_all or one == name else "" for one in people}

    assert await emails(client, "v1/users") == expected(*EVERYBODY)
    assert await emails(client, f"v1/users/{world.users['bob'].guid}") == expected("bob")
    assert await emails(client, f"v1/groups/{group}/members") == expected("bob", "vic")
    assert await emails(client, "v1/user") == {name: name + ADDRESS}
    if name != "vic":
        assert await emails(client, f"v1/content/{item}/failure-subscribers") == expected("bob")
    whole = await client.get(f"v1/content?include=owner&owner_guid={world.users['ada'].guid}")
    assert ADDRESS not in whole.text


async def test_a_hidden_address_does_not_order_the_list(world: World) -> None:
    await addressed(world)
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.update(User).where(User.username == "vic").values(email="a@example.org"))
    ada = world.client("ada")
    first = (await ada.read("v1/users?sort=email"))["results"][0]["username"]
    configure(world, hide=True)
    assert first == "vic"
    assert (await ada.read("v1/users?sort=email"))["results"][0]["username"] == "root"


async def test_whoever_changes_an_account_is_told_its_address_only_when_they_may_know(world: World) -> None:
    await addressed(world)
    configure(world, hide=True)
    bob = world.users["bob"].guid
    assert (await world.client("root").ask("PUT", f"v1/users/{bob}", {"first_name": "B"})).json()[
        "email"
    ] == "bob@example.org"
    assert (await world.client("bob").ask("PUT", f"v1/users/{bob}", {"first_name": "C"})).json()[
        "email"
    ] == "bob@example.org"


@pytest.mark.parametrize(
    ("name", "narrow", "people", "groups", "members"),
    [
        ("vic", True, ["vic"], ["readers"], ["vic"]),
        ("vic", False, EVERYBODY, ["readers", "writers"], ["bob", "vic"]),
        ("ada", True, EVERYBODY, ["readers", "writers"], ["bob", "vic"]),
        ("root", True, EVERYBODY, ["readers", "writers"], ["bob", "vic"]),
    ],
)
async def test_viewers_may_be_shown_only_themselves(
    world: World, name: str, narrow: bool, people: list[str], groups: list[str], members: list[str]
) -> None:
    readers, writers = await group_of(world, "readers", "bob", "vic"), await group_of(world, "writers", "bob")
    configure(world, only=narrow)
    client = world.client(name)
    assert await names(client) == people
    assert await names(client, "v1/users?prefix=b") == [one for one in people if one == "bob"]
    assert await names(client, "v1/groups") == groups
    assert await names(client, f"v1/groups/{readers}/members") == members
    found = {
        path: (await client.get(path)).status_code
        for path in (
            f"v1/users/{world.users['bob'].guid}",
            f"v1/groups/{writers}",
            f"v1/groups/{writers}/members",
            f"v1/experimental/groups/{writers}/content",
        )
    }
    assert set(found.values()) == {404 if len(people) == 1 else 200}, found
    assert (await client.get(f"v1/users/{world.users[name].guid}")).status_code == 200


async def test_what_is_hidden_answers_as_what_is_not_there(world: World) -> None:
    writers = await group_of(world, "writers", "bob")
    configure(world, only=True)
    vic, bob = world.client("vic"), world.users["bob"].guid
    nowhere = "00000000-0000-4000-8000-000000000000"
    asked: list[tuple[str, str, Any]] = [
        ("GET", "v1/users/{}", None),
        ("PUT", "v1/users/{}", {"first_name": "x"}),
        ("GET", "v1/users/{}/keys", None),
    ]
    for method, path, body in asked:
        real, made_up = [await vic.ask(method, path.format(guid), body) for guid in (bob, nowhere)]
        assert real.text.replace(bob, nowhere) == made_up.text
    for method, path, body in (
        ("DELETE", "v1/groups/{}", None),
        ("POST", "v1/groups/{}/members", {"user_guid": bob}),
        ("DELETE", f"v1/groups/{{}}/members/{bob}", None),
    ):
        real, made_up = [await vic.ask(method, path.format(guid), body) for guid in (writers, nowhere)]
        assert (real.status_code, real.text.replace(writers, nowhere)) == (404, made_up.text)


async def test_whose_content_a_viewer_sees_is_still_said(world: World) -> None:
    guid = await shown_to_vic(world)
    configure(world, hide=True, only=True)
    owner = (await world.client("vic").read(f"v1/content/{guid}?include=owner"))["owner"]
    assert (owner["guid"], owner["username"]) == (world.users["ada"].guid, "ada")
    assert (await world.client("vic").get(f"v1/content/{guid}/permissions")).status_code == 403


@pytest.mark.parametrize(
    ("words", "warned"),
    [("viewer:bob", True), ("collaborator:bob", True), ("viewer:vic", False), ("viewer:@me", False)],
)
async def test_a_search_does_not_tell_what_others_were_given(world: World, words: str, warned: bool) -> None:
    await shown_to_vic(world)
    configure(world, only=True)
    found = await world.client("vic").read(f"v1/search/content?q={words}")
    assert (found["total"], "warnings" in found) == (1, warned)
    assert "warnings" not in await world.client("ada").read(f"v1/search/content?q={words}")


async def test_a_key_that_is_capped_to_a_viewers_sees_what_a_viewer_does(world: World) -> None:
    key = await world.client("ada").made(
        f"v1/users/{world.users['ada'].guid}/keys", {"name": "k", "user_role": "viewer"}
    )
    configure(world, only=True)
    assert await names(world.client(authorization=f"Key {key['key']}")) == ["ada"]


async def test_clients_are_told_of_the_setting(world: World) -> None:
    configure(world, only=True)
    assert (await world.client("vic").read("server_settings"))["viewers_can_only_see_themselves"] is True
