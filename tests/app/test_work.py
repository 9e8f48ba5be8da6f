"""Orders that go through the queue: deploys with their records, deletion, and what an interruption leaves."""

from __future__ import annotations

import asyncio

import pytest
from support.controlling import House, World, until

from rostra.app.changes import PURGE
from rostra.execution import logs

pytestmark = pytest.mark.anyio


async def test_a_deploy_is_recorded_and_its_log_can_be_read(world: World) -> None:
    guid = await world.item()
    done = await world.deploy(guid, await world.upload(guid))
    assert (done["code"], done["error"]) == (0, "")
    build = next(job for job in (await world.jobs()).values() if job.tag == "python_restore")
    assert (build.exit_code, build.error, build.ended_at is None) == (0, None, False)
    assert build.log
    lines = [line.text for line in logs.read(world.house.folder / build.log)]
    assert lines == done["output"]
    process = next(job for job in (await world.jobs()).values() if job.tag != "python_restore")
    assert (process.key, process.ended_at) == (world.running(guid)[0], None)


async def test_a_failed_deploy_says_why_in_task_record_and_log(world: World) -> None:
    guid = await world.published()
    before = world.running(guid)
    world.house.launcher.refuse = "this host is out of processes"
    done = await world.deploy(guid, await world.upload(guid))
    world.house.launcher.refuse = ""
    assert done["code"] == 1
    assert "out of processes" in done["error"]
    build = max((job for job in (await world.jobs()).values() if job.tag == "python_restore"), key=lambda job: job.id)
    assert build.exit_code == 1
    assert "out of processes" in (build.error or "")
    assert any("out of processes" in line.text for line in logs.read(world.house.folder / (build.log or "")))
    assert world.running(guid) == before


async def test_an_orderly_stop_interrupts_a_deploy_and_the_next_start_goes_on_with_it(house: House) -> None:
    house.shelves.gate = asyncio.Event()
    async with house.open() as world:
        await world.people()
        secrets = world.secrets
        guid = await world.item()
        body = {"bundle_id": await world.upload(guid), "activate": True}
        task = (await world.api("POST", f"content/{guid}/deploy", body))["task_id"]
        await until(lambda: house.shelves.asked)
    house.shelves.gate.set()
    async with house.open() as world:
        world.secrets = secrets
        jobs = await world.jobs()
        assert [job.ended_at for job in jobs.values() if job.tag == "python_restore"] in ([None], [house.clock.now()])
        done = await world.finished(task)
        assert done["code"] == 0, done
        assert {job.tag: job.exit_code for job in (await world.jobs()).values()}["python_restore"] == 0
        assert len(world.running(guid)) == 1


async def test_a_deleted_item_goes_with_everything_even_what_drains(world: World) -> None:
    guid = await world.published()
    draining = world.running(guid)[0]
    world.control.tools.pools.loads(world.pool(guid), {world.control.tools.pools.members(world.pool(guid))[0].key: 1})
    assert (await world.deploy(guid, await world.upload(guid)))["code"] == 0
    assert draining not in world.running(guid)
    await world.api("DELETE", f"content/{guid}")
    task = next(task for task in await world.tasks() if task.kind == PURGE)
    await world.finished(task.id, "root")
    assert await world.house.launcher.running() == ()
    assert not list(world.house.folder.rglob(f"*{guid}*"))
    assert await world.jobs() == {}


async def test_an_item_that_is_deleted_while_it_is_deployed_leaves_nothing(world: World) -> None:
    guid = await world.item()
    bundle = await world.upload(guid)
    world.house.shelves.gate = asyncio.Event()
    task = (await world.api("POST", f"content/{guid}/deploy", {"bundle_id": bundle}))["task_id"]
    await until(lambda: world.house.shelves.asked)
    await world.api("DELETE", f"content/{guid}")
    world.house.shelves.gate.set()
    assert (await world.finished(task, "ada"))["code"] == 1
    for purge in [task for task in await world.tasks() if task.kind == PURGE]:
        await world.finished(purge.id, "root")
    assert await world.house.launcher.running() == (), "the process that was proven goes on"
    assert not list(world.house.folder.rglob(f"*{guid}*"))


async def test_a_changed_variable_drains_what_runs(world: World) -> None:
    guid = await world.published()
    before = world.running(guid)
    await world.api("PATCH", f"content/{guid}/environment", [{"name": "A", "value": "1"}])
    assert world.running(guid) == []
    assert await world.control.visits.process(world.pool(guid))
    assert world.running(guid) != before
    assert world.house.launcher.launches[-1].env["A"] == "1"


async def test_changed_limits_leave_what_runs(world: World) -> None:
    guid = await world.published()
    before = world.running(guid)
    await world.api("PATCH", f"content/{guid}", {"max_conns_per_process": 3, "title": "Other"})
    assert world.running(guid) == before
    assert world.control.tools.pools.members(world.pool(guid))[0].room == 3
