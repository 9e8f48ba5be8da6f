"""Who may use an OAuth integration: the people and groups it names, or everybody who publishes when it names nobody."""

from __future__ import annotations

from typing import Any

import pytest
from support.api import World, item_of

pytestmark = pytest.mark.anyio

PATH = "v1/oauth/integrations"


async def integration(world: World, *permissions: dict[str, Any], **fields: Any) -> Any:
    body = {"template": "connect", "permissions": list(permissions), **fields}
    return await world.client("root").made(PATH, body)


async def associate(world: World, name: str, item: Any, *integrations: Any) -> Any:
    body = [{"oauth_integration_guid": one["guid"]} for one in integrations]
    return await world.client(name).ask("PUT", f"v1/content/{item['guid']}/oauth/integrations/associations", body)


async def seen(world: World, name: str) -> list[str]:
    return [one["guid"] for one in await world.client(name).read(PATH)]


async def test_a_template_alone_makes_one(world: World) -> None:
    made = await world.client("root").made(PATH, {"template": "connect"})
    assert (made["name"], made["permissions"], made["environment_variables"]) == ("Visitor API key", [], [])
    assert list((await world.client("root").read(f"{PATH}/{made['guid']}")).items()) == list(made.items())


async def test_one_that_names_nobody_is_everybodys(world: World) -> None:
    made = await integration(world)
    assert [await seen(world, name) for name in ("root", "ada", "bob")] == [[made["guid"]]] * 3


async def test_one_that_names_a_person_is_theirs(world: World) -> None:
    ada = world.users["ada"].guid
    made = await integration(world, {"user_guid": ada, "group_guid": None})
    assert made["permissions"] == [{"user_guid": ada, "group_guid": None}]
    assert [await seen(world, name) for name in ("root", "ada", "bob")] == [[made["guid"]], [made["guid"]], []]
    for path in (f"{PATH}/{made['guid']}", f"{PATH}/{made['guid']}/associations"):
        assert [(await world.client(name).get(path)).status_code for name in ("ada", "bob")] == [200, 404]
    own = {name: await item_of(world, name) for name in ("ada", "bob")}
    assert (await associate(world, "ada", own["ada"], made)).status_code == 200
    refused = await associate(world, "bob", own["bob"], made)
    assert (refused.status_code, refused.json()["code"]) == (400, 208)


async def test_one_that_names_a_group_is_its_members_also_when_the_group_is_gone(world: World) -> None:
    root = world.client("root")
    group = (await root.made("v1/groups", {"name": "analysts"}))["guid"]
    await root.post(f"v1/groups/{group}/members", {"user_guid": world.users["bob"].guid})
    made = await integration(world, {"group_guid": group})
    assert [await seen(world, name) for name in ("ada", "bob")] == [[], [made["guid"]]]
    await root.ask("DELETE", f"v1/groups/{group}")
    assert [await seen(world, name) for name in ("ada", "bob")] == [[], []]


async def test_content_keeps_what_was_given_to_it(world: World) -> None:
    made, other = await integration(world), await integration(world)
    item = await item_of(world, "ada")
    await associate(world, "ada", item, made)
    bob = {"permissions": [{"user_guid": world.users["bob"].guid}]}
    assert (await world.client("root").ask("PATCH", f"{PATH}/{made['guid']}", bob)).status_code == 200
    answer = await associate(world, "ada", item, made, other)
    assert [one["oauth_integration_guid"] for one in answer.json()] == [made["guid"], other["guid"]]
    assert (await associate(world, "ada", item)).json() == []
    assert (await associate(world, "ada", item, made)).status_code == 400


async def test_permissions_stay_until_others_are_sent(world: World) -> None:
    made, root = await integration(world, {"user_guid": world.users["ada"].guid}), world.client("root")
    path = f"{PATH}/{made['guid']}"
    renamed = await root.ask("PATCH", path, {"name": "other"})
    assert renamed.json()["permissions"] == made["permissions"]
    assert (await root.ask("PATCH", path, {"permissions": []})).json()["permissions"] == []


@pytest.mark.parametrize(
    "permission", ["text", {}, {"user_guid": "nobody"}, {"group_guid": "nobody"}, {"user_guid": 7}]
)
async def test_a_permission_of_nobody_is_refused(world: World, permission: Any) -> None:
    body = {"template": "connect", "permissions": [permission]}
    answer = await world.client("root").post(PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (400, 261)
