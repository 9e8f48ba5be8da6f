from typing import Any

import pytest
from support.api import Client, World, item_of, live_item

pytestmark = pytest.mark.anyio


async def group_of(world: World, *members: str, name: str = "Sales", owner: str = "ada") -> Any:
    made = await world.client(owner).made("v1/groups", {"name": name})
    for member in members:
        answer = await world.client(owner).post(
            f"v1/groups/{made['guid']}/members", {"user_guid": world.users[member].guid}
        )
        assert answer.status_code == 204
    return made


async def give(client: Client, item: Any, group: Any, role: str = "viewer") -> Any:
    body = {"principal_guid": group["guid"], "principal_type": "group", "role": role}
    return await client.made(f"v1/content/{item['guid']}/permissions", body)


async def test_a_made_group_is_what_is_read_later(world: World) -> None:
    made = await group_of(world)
    assert list(made) == ["guid", "name", "owner_guid"]
    assert made["owner_guid"] == world.users["ada"].guid
    read = world.client("vic")
    assert await read.read(f"v1/groups/{made['guid']}") == made
    assert await read.read("v1/groups?prefix=SA") == {"results": [made], "current_page": 1, "total": 1}
    assert await read.read("v1/groups?prefix=x&page_size=1") == {"results": [], "current_page": 1, "total": 0}


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [({"name": ""}, 14, 400), ({}, 14, 400), ({"name": 7}, 14, 400), ({"name": "sALES"}, 15, 409)],
)
async def test_a_bad_group_is_refused(world: World, body: object, code: int, status: int) -> None:
    await group_of(world)
    answer = await world.client("ada").post("v1/groups", body)
    assert (answer.json()["code"], answer.status_code) == (code, status)


async def test_members_come_and_go(world: World) -> None:
    group = await group_of(world, "vic", "bob")
    ada, path = world.client("ada"), f"v1/groups/{group['guid']}/members"
    told = await ada.read(f"{path}?page_size=1&page_number=2")
    assert ([row["username"] for row in told["results"]], told["total"]) == (["vic"], 2)
    assert (await ada.post(path, {"user_guid": world.users["vic"].guid})).json()["code"] == 16
    gone = await ada.ask("DELETE", f"{path}/{world.users['vic'].guid}")
    again = await ada.ask("DELETE", f"{path}/{world.users['vic'].guid}")
    assert (gone.status_code, again.status_code, again.json()["code"]) == (204, 404, 17)
    assert "credentials" in world.changed


@pytest.mark.parametrize(("name", "status"), [("bob", 403), ("vic", 403), ("root", 204), ("ada", 204)])
async def test_a_group_is_its_owners_or_an_administrators(world: World, name: str, status: int) -> None:
    group = await group_of(world)
    path = f"v1/groups/{group['guid']}"
    told = await world.client(name).post(f"{path}/members", {"user_guid": world.users["vic"].guid})
    gone = await world.client(name).ask("DELETE", path)
    assert (told.status_code, gone.status_code) == (status, status)


async def test_viewers_make_no_groups(world: World) -> None:
    assert (await world.client("vic").post("v1/groups", {"name": "x"})).status_code == 403


async def test_a_group_sees_what_it_was_given_until_it_is_gone(world: World) -> None:
    item, group = await live_item(world), await group_of(world, "vic")
    vic, path = world.client("vic"), f"v1/content/{item['guid']}"
    assert (await vic.get(path)).status_code == 404
    given = await give(world.client("ada"), item, group)
    assert (given["principal_type"], given["principal_guid"]) == ("group", group["guid"])
    assert (await vic.read(path))["app_role"] == "viewer"
    assert [row["guid"] for row in await vic.read("v1/content")] == [item["guid"]]
    assert (await world.client("ada").ask("DELETE", f"v1/groups/{group['guid']}")).status_code == 204
    assert (await vic.get(path)).status_code == 404
    assert await world.client("ada").read(f"{path}/permissions") == []


async def test_the_stronger_of_two_permissions_counts(world: World) -> None:
    item, group = await item_of(world), await group_of(world, "bob")
    ada, path = world.client("ada"), f"v1/content/{item['guid']}"
    mine = {"principal_guid": world.users["bob"].guid, "principal_type": "user", "role": "viewer"}
    await ada.made(f"{path}/permissions", mine)
    given = await give(ada, item, group, "owner")
    assert (await world.client("bob").read(path))["app_role"] == "editor"
    changed = await ada.ask("PUT", f"{path}/permissions/{given['id']}", {**given, "role": "viewer"})
    assert changed.json() == {**given, "role": "viewer"}
    assert (await world.client("bob").read(path))["app_role"] == "viewer"


async def test_giving_again_changes_what_was_given(world: World) -> None:
    item, group = await item_of(world), await group_of(world)
    ada, body = world.client("ada"), {"principal_guid": group["guid"], "principal_type": "group"}
    path = f"v1/content/{item['guid']}/permissions"
    answers = [await ada.post(path, {**body, "role": role}) for role in ("viewer", "owner")]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [row["role"] for row in await ada.read(path)] == ["owner"]


async def test_what_a_group_was_given_is_listed(world: World) -> None:
    item, group = await item_of(world, title="Report"), await group_of(world)
    await give(world.client("ada"), item, group)
    path = f"v1/experimental/groups/{group['guid']}/content"
    (row,) = await world.client("ada").read(path)
    assert list(row) == ["content_guid", "content_name", "content_title", "access_type", "permissions"]
    assert row["permissions"] == [
        {
            "principal_guid": group["guid"],
            "principal_name": "Sales",
            "principal_role": "viewer",
            "principal_type": "group",
        }
    ]
    assert await world.client("bob").read(path) == []


@pytest.mark.parametrize("path", ["v1/users/remote?prefix=a", "v1/groups/remote?prefix=a&limit=5"])
async def test_there_is_no_external_directory(world: World, path: str) -> None:
    assert await world.client("root").read(path) == {"results": [], "current_page": 1, "total": 0}
    refused = await world.client("root").ask("PUT", path.partition("/remote")[0], {"temp_ticket": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, 127)
