import dataclasses

import pytest
from support.api import BASE, Client, World, item_of, live_item

pytestmark = pytest.mark.anyio
COLUMNS = [
    *("guid", "id", "name", "title", "description", "access_type", "locked", "locked_message", "extension"),
    *("connection_timeout", "read_timeout", "init_timeout", "idle_timeout", "max_processes", "min_processes"),
    *("max_conns_per_process", "load_factor", "memory_request", "memory_limit", "cpu_request", "cpu_limit"),
    *("amd_gpu_limit", "nvidia_gpu_limit", "service_account_name", "default_image_name", "default_environment_guid"),
    *("created_time", "last_deployed_time", "bundle_id", "app_mode", "content_category", "parameterized"),
    *("environment_guid", "cluster_name", "image_name", "r_version", "py_version", "quarto_version", "node_version"),
    *("r_environment_management", "py_environment_management", "default_r_environment_management"),
    *("default_py_environment_management", "run_as", "run_as_current_user", "owner_guid", "content_url"),
    *("dashboard_url", "app_role", "draft_marker_enabled", "metrics_collection_enabled", "notify_on_share"),
    *("otel_enabled", "public_content_status"),
]
SWITCHES = ("draft_marker_enabled", "metrics_collection_enabled", "notify_on_share", "otel_enabled")


async def test_made_content_is_what_is_read_and_listed_later(world: World) -> None:
    client = world.client("ada")
    made = await client.made("v1/content", {"name": "sales", "title": "The sales", "access_type": "all"})
    read = await client.read(f"v1/content/{made['guid']}")
    assert list(made) == list(read) == COLUMNS
    assert made == read == (await client.read("v1/content"))[0]
    assert made["name"] == "sales"
    assert made["app_role"] == "owner"
    assert made["app_mode"] == "unknown"
    assert made["bundle_id"] is None
    assert made["last_deployed_time"] == made["created_time"] == "2026-09-01T12:00:00Z"


async def test_the_types_clients_rely_on(world: World) -> None:
    made = await item_of(world)
    assert made["id"].isdecimal()
    assert "-" in made["guid"]
    assert made["content_url"] == f"{BASE}/content/{made['guid']}/"
    assert made["dashboard_url"] == f"{BASE}/connect/#/apps/{made['guid']}"


@pytest.mark.parametrize("name", SWITCHES)
async def test_a_switch_is_the_servers_until_it_is_set(world: World, name: str) -> None:
    made = await item_of(world)
    assert made[name] is None
    answer = await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", {name: True})
    assert answer.json()[name] is True
    assert (await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", {name: None})).json()[name] is None


async def test_content_without_a_name_gets_one_each_time(world: World) -> None:
    client = world.client("ada")
    names = [(await client.made("v1/content", body))["name"] for body in ({}, {"name": ""}, {"name": None}, None)]
    assert len(set(names)) == 4
    assert all(names)


async def test_a_name_is_used_once_by_one_owner(world: World) -> None:
    await world.client("ada").made("v1/content", {"name": "sales"})
    answer = await world.client("ada").post("v1/content", {"name": "sales"})
    assert (answer.status_code, answer.json()["code"]) == (409, 26)
    assert (await world.client("bob").post("v1/content", {"name": "sales"})).status_code == 201


async def test_looking_for_a_name_is_exact(world: World) -> None:
    client = world.client("ada")
    await client.made("v1/content", {"name": "sales1"})
    assert await client.read("v1/content?name=sales") == []
    assert len(await client.read("v1/content?name=sales1")) == 1


async def test_lists_show_what_one_may_know_of_last_deployed_first(world: World) -> None:
    hidden = await item_of(world)
    world.clock.move(minutes=1)
    shown = await item_of(world, access_type="logged_in")
    world.clock.move(minutes=1)
    for who, expected in (("ada", [shown, hidden]), ("vic", [shown]), ("root", [shown, hidden])):
        listed = await world.client(who).read("v1/content")
        assert [row["guid"] for row in listed] == [row["guid"] for row in expected], who
    assert await world.client("ada").read(f"v1/content?owner_guid={world.users['bob'].guid}") == []


async def test_includes(world: World) -> None:
    made = await item_of(world)
    client = world.client("ada")
    read = await client.read(f"v1/content/{made['guid']}?include=owner,tags,vanity_url")
    assert read["owner"] == {
        "guid": world.users["ada"].guid, "username": "ada", "first_name": "", "last_name": ""
    }  # fmt: skip
    assert "tags" not in read
    assert "vanity_url" not in read
    await client.ask("PUT", f"v1/content/{made['guid']}/vanity", {"path": "/sales"})
    assert (await client.read("v1/content?include=vanity_url"))[0]["vanity_url"] == "/sales/"


async def test_a_change_answers_with_the_whole_object(world: World) -> None:
    made = await item_of(world)
    client = world.client("ada")
    answer = await client.ask("PATCH", f"v1/content/{made['guid']}", {"title": "New title", "max_processes": 5})
    assert answer.json() == made | {"title": "New title", "max_processes": 5}
    assert world.changed == [made["guid"]]


@pytest.mark.parametrize("body", [{}, {"name": ""}, None])
async def test_a_change_of_nothing_is_fine(world: World, body: object) -> None:
    made = await item_of(world)
    answer = await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", body)
    assert answer.json() == made


async def test_a_whole_object_can_be_sent_back(world: World) -> None:
    made = await item_of(world)
    answer = await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", made | {"title": "New title"})
    assert answer.json()["title"] == "New title"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"titel": "x"}, 121),
        ({"title": "x"}, 122),
        ({"title": 5}, 122),
        ({"name": "a b"}, 5),
        ({"access_type": "everybody"}, 117),
        ({"max_processes": 1000}, 113),
        ({"min_processes": -1}, 191),
        ({"load_factor": 2}, 150),
        ({"memory_limit": "1G"}, 183),
        ({"locked": "yes"}, 25),
        ({"owner_guid": 5}, 25),
    ],
)
async def test_a_bad_change_is_refused(world: World, body: object, code: int) -> None:
    made = await item_of(world)
    answer = await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert world.changed == []


async def test_large_limits_fit(world: World) -> None:
    made = await item_of(world, memory_limit=64_000_000_000)
    assert made["memory_limit"] == 64_000_000_000


async def test_python_management_keeps_its_wire_name(world: World) -> None:
    made = await item_of(world, default_py_environment_management=False)
    assert made["default_py_environment_management"] is False


async def test_the_runtime_shows_once_live(world: World) -> None:
    told = await live_item(world)
    assert (told["py_version"], told["py_environment_management"]) == ("3.11.7", True)
    assert (told["app_mode"], told["cluster_name"]) == ("python-fastapi", "Local")
    assert told["bundle_id"].isdecimal()


async def test_deleted_content_is_gone(world: World) -> None:
    made = await item_of(world)
    client = world.client("ada")
    assert (await client.ask("DELETE", f"v1/content/{made['guid']}")).status_code == 204
    answer = await client.get(f"v1/content/{made['guid']}")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)
    assert await client.read("v1/content") == []
    assert world.changed == [made["guid"]]


PATHS = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "/environment"),
    ("PATCH", "/environment"),
    ("PUT", "/environment"),
    ("GET", "/permissions"),
    ("POST", "/permissions"),
    ("GET", "/bundles"),
    ("POST", "/bundles"),
    ("GET", "/bundles/1"),
    ("GET", "/bundles/1/download"),
    ("DELETE", "/bundles/1"),
    ("POST", "/deploy"),
    ("POST", "/build"),
    ("GET", "/jobs"),
    ("GET", "/jobs/x"),
    ("GET", "/jobs/x/log"),
    ("DELETE", "/jobs/x"),
    ("PUT", "/vanity"),
    ("DELETE", "/vanity"),
    ("GET", "/lockfile"),
    ("GET", "/packages"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_hidden_content_does_not_exist_for_others(world: World, method: str, path: str) -> None:
    made = await item_of(world)
    body = [] if path == "/environment" else {}
    answer = await world.client("bob").ask(method, f"v1/content/{made['guid']}{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


@pytest.mark.parametrize(("method", "path"), [row for row in PATHS if row not in (("GET", ""), ("GET", "/packages"))])
@pytest.mark.parametrize("who", ["vic", "bob"])
async def test_seeing_is_not_changing(world: World, method: str, path: str, who: str) -> None:
    made = await item_of(world, access_type="logged_in")
    body = [] if path == "/environment" else {}
    answer = await world.client(who).ask(method, f"v1/content/{made['guid']}{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (403, 22)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nobody_gets_nothing(world: World, method: str, path: str) -> None:
    made = await item_of(world, access_type="all")
    answer = await world.client().ask(method, f"v1/content/{made['guid']}{path}", {})
    assert (answer.status_code, answer.json()["code"]) == (401, 24)


async def test_viewers_make_no_content(world: World) -> None:
    answer = await world.client("vic").post("v1/content", {})
    assert (answer.status_code, answer.json()["code"]) == (403, 22)


async def patch(client: Client, guid: str, body: object) -> tuple[int, int]:
    answer = await client.ask("PATCH", f"v1/content/{guid}", body)
    return answer.status_code, answer.json().get("code", 0)


async def test_ownership_moves_and_takes_everything_along(world: World) -> None:
    made = await item_of(world)
    assert await patch(world.client("ada"), made["guid"], {"owner_guid": world.users["bob"].guid}) == (200, 0)
    assert (await world.client("ada").get(f"v1/content/{made['guid']}")).status_code == 404
    assert (await world.client("bob").read(f"v1/content/{made['guid']}"))["app_role"] == "owner"


async def test_a_viewer_cannot_own(world: World) -> None:
    made = await item_of(world)
    assert await patch(world.client("ada"), made["guid"], {"owner_guid": world.users["vic"].guid}) == (403, 22)


async def collaborate(world: World, guid: str, who: str = "bob", role: str = "owner") -> None:
    body = {"principal_guid": world.users[who].guid, "principal_type": "user", "role": role}
    await world.client("ada").made(f"v1/content/{guid}/permissions", body)


async def test_a_collaborator_changes_but_neither_takes_nor_locks(world: World) -> None:
    guid = (await item_of(world))["guid"]
    await collaborate(world, guid)
    bob = world.client("bob")
    assert await patch(bob, guid, {"title": "New title"}) == (200, 0)
    assert (await bob.read(f"v1/content/{guid}"))["app_role"] == "editor"
    assert await patch(bob, guid, {"owner_guid": world.users["bob"].guid}) == (403, 22)
    assert await patch(bob, guid, {"locked": True}) == (403, 49)


async def test_the_account_content_runs_as_is_an_administrator_s_business(world: World) -> None:
    guid = (await item_of(world))["guid"]
    assert await patch(world.client("ada"), guid, {"run_as": "root"}) == (403, 22)
    assert await patch(world.client("ada"), guid, {"run_as": None}) == (200, 0)
    assert await patch(world.client("root"), guid, {"run_as": "www"}) == (200, 0)
    assert (await world.client("ada").post("v1/content", {"run_as": "root"})).status_code == 403


async def test_an_administrator_looks_after_everything(world: World) -> None:
    guid = (await item_of(world))["guid"]
    told = await world.client("root").read(f"v1/content/{guid}")
    assert told["app_role"] == "none"
    assert await patch(world.client("root"), guid, {"title": "New title"}) == (200, 0)


async def test_a_configured_address_is_used_in_links(world: World) -> None:
    settings = world.live.settings()
    moved = dataclasses.replace(settings, server=dataclasses.replace(settings.server, address="https://x.org/rsc/"))
    object.__setattr__(world.live, "settings", lambda: moved)
    made = await item_of(world)
    assert made["content_url"] == f"https://x.org/rsc/content/{made['guid']}/"


@pytest.mark.parametrize(
    ("access", "deployed", "locked", "expected"),
    [("acl", True, False, 259), ("all", False, False, False), ("all", True, True, False), ("all", True, False, True)],
)
async def test_whether_anybody_can_open_it(
    world: World, access: str, deployed: bool, locked: bool, expected: object
) -> None:
    ada = world.client("ada")
    guid = (await (live_item(world) if deployed else item_of(world)))["guid"]
    await ada.ask("PATCH", f"v1/content/{guid}", {"access_type": access, "locked": locked})
    answer = await ada.post(f"v1/content/{guid}/access-test")
    told = answer.json()
    assert (told["code"] if answer.status_code == 400 else told["accessible"]) == expected
    assert answer.status_code == 400 or bool(told["reasons"]) is not told["accessible"]


@pytest.mark.parametrize(("name", "version"), [("ada", "3.11.7"), ("root", "3.11.7"), ("vic", None)])
async def test_viewers_are_not_told_what_it_runs_on(world: World, name: str, version: str | None) -> None:
    guid = (await live_item(world, access_type="logged_in"))["guid"]
    told = await world.client(name).read(f"v1/content/{guid}")
    assert (told["py_version"], told["image_name"]) == (version, version and "Local")
    assert told["bundle_id"] is not None
