import datetime as dt

import pytest
from support.api import World, bundle, item_of

from rostra.db.engine import transaction
from rostra.jobs import queue

pytestmark = pytest.mark.anyio


async def deploying(world: World) -> tuple[str, str]:
    """Return an item and its task, which waits."""
    guid = (await item_of(world))["guid"]
    ada = world.client("ada")
    await ada.made(f"v1/content/{guid}/bundles", bundle())
    return guid, (await ada.made(f"v1/content/{guid}/deploy", {}))["task_id"]


async def test_what_waits_is_listed_by_name(world: World) -> None:
    guid, task = await deploying(world)
    page = await world.client("root").read("v1/queue")
    assert [(row["id"], row["content_guid"], row["status"]) for row in page["results"]] == [(task, guid, "waiting")]
    assert (await world.client("root").read("v1/queue?queue_names=deploy|x"))["total"] == 1
    assert (await world.client("root").read("v1/queue?queue_names=x"))["total"] == 0


async def test_what_waits_can_be_taken_out(world: World) -> None:
    _, task = await deploying(world)
    assert (await world.client("root").ask("DELETE", f"v1/queue/{task}")).status_code == 204
    told = await world.client("ada").read(f"v1/tasks/{task}")
    assert (told["finished"], told["code"]) == (True, 1)
    assert "root" in told["error"]
    assert (await world.client("root").ask("DELETE", f"v1/queue/{task}")).status_code == 404
    (entry,) = (await world.client("root").read("v1/audit_logs?limit=1"))["results"]
    assert entry["action"] == "cancel_queued"


async def test_what_is_being_done_stays(world: World) -> None:
    _, task = await deploying(world)
    async with transaction(world.live.sessions) as session:
        await queue.claim(session, worker="test/0", now=world.clock.now(), lease=dt.timedelta(minutes=1))
    answer = await world.client("root").ask("DELETE", f"v1/queue/{task}")
    assert (answer.status_code, answer.json()["code"]) == (409, 100)
    assert (await world.client("ada").read(f"v1/tasks/{task}"))["finished"] is False
