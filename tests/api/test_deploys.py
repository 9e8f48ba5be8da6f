import asyncio

import pytest
from support.api import World, bundle, item_of, live_item, row_of

from rostra.content.tables import Item
from rostra.db.engine import transaction
from rostra.jobs.queue import Outcome
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio
SEVEN = ["id", "output", "result", "finished", "code", "error", "last"]


async def uploaded(world: World, kind: str = "python-fastapi", **fields: object) -> tuple[str, str]:
    """Return the path of new content and its one bundle's id."""
    path = f"v1/content/{(await item_of(world, **fields))['guid']}"
    return path, (await world.client("ada").made(f"{path}/bundles", bundle(kind)))["id"]


async def payload(world: World, task_id: str) -> dict[str, object]:
    async with transaction(world.live.reading) as session:
        task = await session.get(Task, task_id)
        assert task is not None
        return task.payload


@pytest.mark.parametrize("as_number", [False, True])
async def test_a_deploy_is_a_task(world: World, as_number: bool) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    answer = await client.post(f"{path}/deploy", {"bundle_id": int(bundle_id) if as_number else bundle_id})
    assert answer.status_code == 202
    assert list(answer.json()) == ["task_id"]
    task = answer.json()["task_id"]
    assert task.isalnum()
    waiting = await client.read(f"v1/tasks/{task}")
    assert list(waiting) == SEVEN
    assert waiting | {"id": ""} == {
        "id": "", "output": [], "result": None, "finished": False, "code": 0, "error": "", "last": 0
    }  # fmt: skip
    await world.play("one", "two")
    assert (await client.read(f"v1/tasks/{task}")) | {"id": ""} == {
        "id": "", "output": ["one", "two"], "result": None, "finished": True, "code": 0, "error": "", "last": 2
    }  # fmt: skip
    assert (await client.read(path))["bundle_id"] == bundle_id


async def test_later_lines_only(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    task = (await client.made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"]
    await world.play("one", "two", "three")
    for first, expected in (
        (0, ["one", "two", "three"]),
        (2, ["three"]),
        (3, []),
        (99, []),
        (-5, ["one", "two", "three"]),
    ):
        told = await client.read(f"v1/tasks/{task}?first={first}&wait=1")
        assert (told["output"], told["last"]) == (expected, 3)


async def test_waiting_ends_when_the_task_does(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    task = (await client.made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = group.create_task(client.read(f"v1/tasks/{task}?first=0&wait=25"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await world.play("one")
    assert waiting.result()["finished"] is True


async def test_waiting_waits(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    task = (await client.made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.read(f"v1/tasks/{task}?wait=0.3")
    assert loop.time() - began >= 0.3


async def test_a_failure_is_told(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    task = (await client.made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"]
    await world.play(outcome=Outcome(exit_code=1, error="no good"))
    told = await client.read(f"v1/tasks/{task}")
    assert (told["finished"], told["code"], told["error"]) == (True, 1, "no good")
    assert (await client.read(path))["bundle_id"] is None


@pytest.mark.parametrize(("who", "status"), [("ada", 200), ("root", 200), ("bob", 404), ("vic", 404)])
async def test_a_task_is_its_starter_s_business(world: World, who: str, status: int) -> None:
    path, bundle_id = await uploaded(world)
    task = (await world.client("ada").made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"]
    answer = await world.client(who).get(f"v1/tasks/{task}")
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == 141


@pytest.mark.parametrize("query", ["first=x", "wait=x"])
async def test_bad_numbers_are_400(world: World, query: str) -> None:
    assert (await world.client("ada").get(f"v1/tasks/x?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("body", "activate"),
    [({}, True), ({"activate": None}, True), ({"activate": True}, True), ({"activate": False}, False)],
)
async def test_drafts_are_asked_for_by_false_only(world: World, body: dict[str, object], activate: bool) -> None:
    path, bundle_id = await uploaded(world)
    task = (await world.client("ada").made(f"{path}/deploy", {"bundle_id": bundle_id, **body}))["task_id"]
    assert (await payload(world, task))["activate"] is activate


async def test_a_draft_leaves_the_item_as_it_is(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    before = await client.read(path)
    world.clock.move(hours=1)
    await client.made(f"{path}/deploy", {"bundle_id": bundle_id, "activate": False})
    await world.play()
    assert await client.read(path) == before


async def test_the_deploy_time_shows_at_once(world: World) -> None:
    path, bundle_id = await uploaded(world)
    world.clock.move(hours=1)
    await world.client("ada").made(f"{path}/deploy", {"bundle_id": bundle_id})
    assert (await world.client("ada").read(path))["last_deployed_time"] == "2026-09-01T13:00:00Z"


@pytest.mark.parametrize("body", [{"bundle_id": None}, {}, None, {"bundle_id": ""}])
async def test_without_a_bundle_the_live_one_is_meant(world: World, body: object) -> None:
    told = await live_item(world)
    path = f"v1/content/{told['guid']}"
    await world.client("ada").made(f"{path}/bundles", bundle())
    task = (await world.client("ada").made(f"{path}/deploy", body))["task_id"]
    assert str((await payload(world, task))["bundle_id"]) == told["bundle_id"]


async def test_without_a_live_one_the_newest_is_meant(world: World) -> None:
    path, _ = await uploaded(world)
    newest = (await world.client("ada").made(f"{path}/bundles", bundle()))["id"]
    task = (await world.client("ada").made(f"{path}/deploy", {}))["task_id"]
    assert str((await payload(world, task))["bundle_id"]) == newest


async def test_without_any_it_is_said(world: World) -> None:
    path = f"v1/content/{(await item_of(world))['guid']}"
    answer = await world.client("ada").post(f"{path}/deploy", {})
    assert (answer.status_code, answer.json()["code"]) == (404, 28)


@pytest.mark.parametrize(("number", "status"), [("999", 404), ("x", 404), ([1], 400), (1.5, 400)])
async def test_a_bundle_that_is_not_there(world: World, number: object, status: int) -> None:
    path, _ = await uploaded(world)
    assert (await world.client("ada").post(f"{path}/deploy", {"bundle_id": number})).status_code == status


async def test_a_kind_nobody_runs_is_refused_at_once(world: World) -> None:
    path, bundle_id = await uploaded(world, "quarto-static")
    answer = await world.client("ada").post(f"{path}/deploy", {"bundle_id": bundle_id})
    assert (answer.status_code, answer.json()["code"]) == (403, 109)


async def test_locked_content_is_not_deployed(world: World) -> None:
    path, bundle_id = await uploaded(world)
    await world.change(Item, locked=True)
    answer = await world.client("ada").post(f"{path}/deploy", {"bundle_id": bundle_id})
    assert (answer.status_code, answer.json()["code"]) == (403, 222)


async def test_a_build_changes_nothing(world: World) -> None:
    told = await live_item(world)
    path = f"v1/content/{told['guid']}"
    world.clock.move(hours=1)
    answer = await world.client("ada").post(f"{path}/build", {"bundle_id": told["bundle_id"]})
    assert answer.status_code == 202
    assert (await payload(world, answer.json()["task_id"]))["build_only"] is True
    assert await world.client("ada").read(path) == told


async def test_static_content_is_live_when_the_answer_comes(world: World) -> None:
    path, bundle_id = await uploaded(world, "static")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        deploying = group.create_task(world.client("ada").made(f"{path}/deploy", {"bundle_id": bundle_id}))
        await asyncio.sleep(0.2)
        assert not deploying.done()
        await world.play()
    assert (await row_of(world, path.split("/")[2])).live_bundle_id == int(bundle_id)


async def test_deploys_of_one_item_wait_for_each_other(world: World) -> None:
    path, bundle_id = await uploaded(world)
    client = world.client("ada")
    first, second = [(await client.made(f"{path}/deploy", {"bundle_id": bundle_id}))["task_id"] for _ in range(2)]
    await world.play("first")
    assert (await client.read(f"v1/tasks/{first}"))["finished"]
    assert not (await client.read(f"v1/tasks/{second}"))["finished"]
    await world.play("second")
    assert (await client.read(f"v1/tasks/{second}"))["output"] == ["second"]
