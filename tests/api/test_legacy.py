"""The routes clients from 1.15 to 1.28 use; every one takes a number or a guid."""

import pytest
from support.api import BASE, World, bundle, item_of

from rostra.jobs.queue import Outcome

pytestmark = pytest.mark.anyio


async def test_a_whole_deploy_as_an_old_client_does_it(world: World) -> None:
    ada = world.client("ada")
    assert (await ada.read("applications?search=sales&count=100"))["applications"] == []
    made = await ada.made("applications", {"name": "sales"})
    assert (type(made["id"]), made["app_mode"], made["title"]) == (int, 0, None)
    assert made["url"] == f"{BASE}/content/{made['guid']}/"
    path = f"applications/{made['id']}"
    assert (await ada.made(path, {"title": "The sales"}))["title"] == "The sales"
    uploaded = await ada.made(f"{path}/upload", bundle())
    assert type(uploaded["id"]) is int
    task = await ada.made(f"{path}/deploy", {"bundle": uploaded["id"]})
    assert task["status"] == []
    await world.play("one", "two")
    told = await ada.read(f"tasks/{task['id']}?first_status=1")
    assert told == {
        "id": task["id"],
        "user_id": world.users["ada"].id,
        "status": ["two"],
        "result": None,
        "finished": True,
        "code": 0,
        "error": "",
        "last_status": 2,
        "output": ["two"],
        "last": 2,
    }
    assert (await ada.read(path))["app_mode"] == 12
    config = await ada.read(f"{path}/config")
    assert config["config_url"] == f"{BASE}/connect/#/apps/{made['guid']}/access"
    assert config["logs_url"] == f"{BASE}/connect/#/apps/{made['guid']}/logs"


@pytest.mark.parametrize("end", ["", "/config"])
async def test_a_guid_is_as_good_as_a_number(world: World, end: str) -> None:
    made, ada = await item_of(world), world.client("ada")
    assert await ada.read(f"applications/{made['guid']}{end}") == await ada.read(f"applications/{made['id']}{end}")


async def test_a_redeploy_by_guid(world: World) -> None:
    made, ada = await item_of(world), world.client("ada")
    uploaded = await ada.made(f"applications/{made['guid']}/upload", bundle())
    task = await ada.made(f"applications/{made['guid']}/deploy", {"bundle": uploaded["id"]})
    await world.play(outcome=Outcome(exit_code=3, error="no good"))
    told = await ada.read(f"tasks/{task['id']}")
    assert (told["code"], told["error"]) == (3, "no good")
    assert told["status"][-1] == "Error: no good", "the oldest clients print the lines and nothing else"


@pytest.mark.parametrize(
    "reference", ["0", "999", "9" * 18, "9" * 30, "x", "33333333-3333-3333-3333-333333333333", "-1"]
)
@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("GET", "/config"), ("POST", "/upload"), ("POST", "/deploy")])
async def test_an_unknown_one(world: World, reference: str, method: str, end: str) -> None:
    answer = await world.client("ada").ask(method, f"applications/{reference}{end}", {})
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


async def test_lists_are_searched_and_paged(world: World) -> None:
    ada = world.client("ada")
    for number in range(5):
        await ada.made("v1/content", {"name": f"Sales-{number}"})
    await ada.made("v1/content", {"name": "other", "title": "Old sales"})
    first = await ada.read("applications?search=sales&count=4")
    assert (first["total"], first["count"], len(first["applications"])) == (6, 4, 4)
    rest = await ada.read(f"applications?search=sales&count=4&start=4&cont={first['continuation']}")
    assert (rest["count"], rest["continuation"]) == (2, None)
    assert len({row["guid"] for row in first["applications"] + rest["applications"]}) == 6


async def test_it_needs_a_publisher(world: World) -> None:
    assert (await world.client("vic").post("applications", {"name": "sales"})).status_code == 403
    assert (await world.client().get("applications")).status_code == 401


async def test_an_old_task_is_its_starter_s_business(world: World) -> None:
    made, ada = await item_of(world), world.client("ada")
    await ada.made(f"applications/{made['id']}/upload", bundle())
    task = await ada.made(f"applications/{made['id']}/deploy", {})
    assert (await world.client("bob").get(f"tasks/{task['id']}")).status_code == 404


async def test_the_r_client_finds_its_item_by_name_and_never_another(world: World) -> None:
    ada, number = world.client("ada"), world.users["ada"].id
    for name in ("sales", "sales-old"):
        await ada.made("applications", {"name": name})
    rows = {
        f"filter=account_id:{number}&filter=name:sales": ["sales"],
        f"filter=account_id:{number}&filter=name:new": [],
        f"filter=account_id:{number + 100}&filter=name:sales": [],
        "filter=odd:x": [],
    }
    for query, names in rows.items():
        assert [each["name"] for each in (await ada.read(f"applications?{query}"))["applications"]] == names, query


async def test_a_key_says_whose_it_is(world: World) -> None:
    told = await world.client("ada").read("users/current")
    assert (told["id"], told["username"]) == (world.users["ada"].id, "ada")
