"""Rehearsals over the API; the walking itself is tested in tests/rehearsal."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from rehearsal.test_report import item
from support.api import World, live_item

from rostra.db.engine import transaction
from rostra.jobs.tables import Task
from rostra.rehearsal import records
from rostra.rehearsal.report import content_security_policy

pytestmark = pytest.mark.anyio
STEPS = ["match", "resolve", "build", "start", "static"]


async def judged(world: World, rehearsal_id: str, outcome: str = "safe", state: str = "done") -> None:
    """Give every item of a rehearsal a result."""
    async with transaction(world.live.sessions) as session:
        for guid in await records.waiting(session, rehearsal_id):
            result = item(guid, outcome) | {"bundle_id": 1, "pins": ["flask==3.0.0"], "from": "3.11.7", "to": "3.12.1"}
            await records.store(session, rehearsal_id, [result])
        await records.enter(session, rehearsal_id, state, world.clock.now())


async def tasks(world: World, kind: str) -> list[dict[str, Any]]:
    async with transaction(world.live.reading) as session:
        return list((await session.execute(sa.select(Task.payload).where(Task.kind == kind))).scalars())


async def test_one_is_begun_with_a_task(world: World) -> None:
    live = await live_item(world)
    made = await world.client("root").made("v1/rehearsals", {"retire": "3.11"})
    assert (made["retire"], made["onto"], made["steps"], made["state"]) == (["3.11"], "auto", STEPS, "waiting")
    assert made["waiting"] == 1
    assert await tasks(world, "rehearse") == [{"rehearsal": made["id"]}]
    assert await world.client("root").read("v1/rehearsals") == [made]
    affected = await world.client("root").read("v1/rehearsals/affected?retire=3.11")
    assert affected["guids"] == [live["guid"]]
    assert [(each["guid"], each["bundle_id"] > 0) for each in affected["items"]] == [(live["guid"], True)]
    assert (await world.client("root").read("v1/rehearsals/affected?retire=3.8"))["guids"] == []


async def test_steps_can_be_left_out(world: World) -> None:
    body = {"retire": ["3.8", "3.9"], "onto": "3.11", "depth": "static", "leave_out": ["build", "start"], "keep": True}
    made = await world.client("root").made("v1/rehearsals", body)
    assert (made["steps"], made["onto"]) == (["match", "resolve", "static"], "3.11")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "no version was named"),
        ({"retire": "old"}, "'old' cannot be used"),
        ({"retire": "3.8", "onto": "newest"}, "'newest' cannot be used"),
        ({"retire": "3.8", "onto": "3.7"}, "has no Python 3.7 that would be left. Left would be 3.9.18, 3.11.7: write"),
        (
            {"retire": "3.9,3.11", "onto": "3.11"},
            "has no Python 3.11 that would be left. No Python would be left at all.",
        ),
        ({"retire": "3.8", "depth": "deep"}, "there is no step 'deep'"),
        ({"retire": "3.8", "leave_out": ["all"]}, "there is no step 'all'"),
    ],
)
async def test_nonsense_is_refused(world: World, body: dict[str, Any], said: str) -> None:
    answer = await world.client("root").post("v1/rehearsals", body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize("name", ["ada", "vic"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "v1/rehearsals"),
        ("GET", "v1/rehearsals"),
        ("GET", "v1/rehearsals/x"),
        ("GET", "v1/rehearsals/affected?retire=3.8"),
        ("DELETE", "v1/rehearsals/x"),
        ("GET", "v1/rehearsals/x/report"),
        ("POST", "v1/rehearsals/x/rebuild"),
        ("POST", "v1/rehearsals/x/notify"),
        ("POST", "v1/rehearsals/x/resume"),
    ],
)
async def test_only_administrators_may(world: World, name: str, method: str, path: str) -> None:
    assert (await world.client(name).ask(method, path, {} if method == "POST" else None)).status_code == 403


async def test_an_unknown_one_is_not_found(world: World) -> None:
    assert (await world.client("root").get("v1/rehearsals/nope")).status_code == 404


async def test_the_report_comes_in_three_forms(world: World) -> None:
    live = await live_item(world)
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    await judged(world, made["id"], "needs-work")
    told = await root.read(f"v1/rehearsals/{made['id']}/report")
    assert [each["guid"] for each in told["items"]] == told["still"] == [live["guid"]]
    assert told["summary"]["needs-work"] == 1
    table = await root.get(f"v1/rehearsals/{made['id']}/report?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.startswith("guid,name,")
    page = await root.get(f"v1/rehearsals/{made['id']}/report?format=html")
    assert page.headers["content-security-policy"] == content_security_policy()
    assert "Needs work" in page.text
    assert (await root.get(f"v1/rehearsals/{made['id']}/report?format=pdf")).status_code == 400


async def test_one_is_stopped_once(world: World) -> None:
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    assert (await root.ask("DELETE", f"v1/rehearsals/{made['id']}")).json()["state"] == "cancelled"
    assert (await root.ask("DELETE", f"v1/rehearsals/{made['id']}")).status_code == 409


async def ended(world: World) -> None:
    """Play the worker: every task has ended."""
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.update(Task).values(finished_at=world.clock.now()))


async def test_one_that_was_stopped_goes_on_with_what_is_left(world: World) -> None:
    await live_item(world)
    await live_item(world)
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    async with transaction(world.live.sessions) as session:
        first = (await records.waiting(session, made["id"]))[0]
        await records.store(session, made["id"], [item(first, "safe")])
    await root.ask("DELETE", f"v1/rehearsals/{made['id']}")
    await ended(world)
    again = await root.made(f"v1/rehearsals/{made['id']}/resume", {})
    assert (again["id"], again["state"], again["waiting"]) == (made["id"], "waiting", 1)
    assert again["task_id"] != made["task_id"]
    assert again["summary"]["safe"] == 1
    assert await tasks(world, "rehearse") == [{"rehearsal": made["id"]}] * 2


async def test_one_that_has_not_ended_does_not_begin_again(world: World) -> None:
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    assert (await root.post(f"v1/rehearsals/{made['id']}/resume", {})).status_code == 409
    await root.ask("DELETE", f"v1/rehearsals/{made['id']}")
    answer = await root.post(f"v1/rehearsals/{made['id']}/resume", {})
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("the rehearsal is still under way.")


async def test_one_that_is_done_does_not_begin_again(world: World) -> None:
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    await judged(world, made["id"])
    await ended(world)
    assert (await root.post(f"v1/rehearsals/{made['id']}/resume", {})).status_code == 409


async def test_safe_items_are_moved_by_a_task_each(world: World) -> None:
    live = await live_item(world)
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    assert (await root.post(f"v1/rehearsals/{made['id']}/rebuild", {})).status_code == 409
    await judged(world, made["id"])
    moving = await root.made(f"v1/rehearsals/{made['id']}/rebuild", {})
    assert [each["guid"] for each in moving["tasks"]] == [live["guid"]]
    assert await tasks(world, "move") == [
        {"guid": live["guid"], "bundle_id": 1, "to": "3.12.1", "pins": ["flask==3.0.0"], "from": "3.11.7"}
    ]


async def test_what_is_not_safe_is_not_moved(world: World) -> None:
    await live_item(world)
    root = world.client("root")
    made = await root.made("v1/rehearsals", {"retire": "3.11"})
    await judged(world, made["id"], "new-pins")
    assert (await root.made(f"v1/rehearsals/{made['id']}/rebuild", {}))["tasks"] == []
