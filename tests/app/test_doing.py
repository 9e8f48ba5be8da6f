"""Renders as jobs: their processes are recorded and weighed like any other."""

import asyncio
import subprocess

import pytest
import sqlalchemy as sa
from support.controlling import World

from rostra.app import doing
from rostra.app.doing import Doing
from rostra.app.sampling import Sampling
from rostra.content import job_records, job_samples
from rostra.content.tables import Item, Job
from rostra.db.engine import transaction
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey

pytestmark = pytest.mark.anyio


async def test_what_a_job_starts_is_recorded_and_weighed_until_it_ends(world: World) -> None:
    await world.published()
    tools = world.control.tools
    async with transaction(tools.sessions) as session:
        item_id = (await session.execute(sa.select(Item.id).limit(1))).scalar_one()
        await job_records.begin(session, item_id, "build_jupyter", tools.clock.now(), key="render1")
    working = Doing(tools)
    sampling = Sampling(tools, world.house.launcher, working)
    process = subprocess.Popen(["sleep", "600"])
    with doing.job("render1"):
        working.began(process.pid)
    await asyncio.gather(*working._writing)
    await sampling.record()
    world.house.clock.move(seconds=5)
    await sampling.record()
    process.kill()
    process.wait()
    assert "render1" not in await working.weigh()
    async with transaction(tools.reading) as session:
        (sample,) = await job_samples.listing(session, "render1")
        job = await session.get_one(Job, "render1")
    assert (sample.processes, sample.memory_bytes > 0) == (1, True)
    assert job.pid == process.pid


async def test_a_short_one_has_a_sample_from_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.published()
    tools, moment = world.control.tools, 100.0
    monkeypatch.setattr("rostra.app.doing.time.monotonic", lambda: moment)
    async with transaction(tools.sessions) as session:
        item_id = (await session.execute(sa.select(Item.id).limit(1))).scalar_one()
        for key in ("short", "long"):
            await job_records.begin(session, item_id, "build_jupyter", tools.clock.now(), key=key)
    working = Doing(tools)
    with doing.job("short"):
        working.began(1, Weight(5.0, 0, 1))  # it was there before the job, and had worked
        moment += 4
        working.ended(Weight(7.0, 5000, 2))
        working.ended(Weight(9.0, 9000, 2))  # once
    with doing.job("long"):
        working.began(2)
        moment += 30
        working.looked({ProcessKey("long"): Weight(30.0, 1, 1)})  # that is on record already
        moment += 10
        working.ended(Weight(35.0, 7000, 3))
    await asyncio.gather(*working._writing)
    async with transaction(tools.reading) as session:
        (short,) = await job_samples.listing(session, "short")
        (long,) = await job_samples.listing(session, "long")
    assert (short.cpu, short.memory_bytes, short.processes) == (0.5, 5000, 2)
    assert (long.cpu, long.memory_bytes, long.processes) == (0.5, 7000, 3)


async def test_what_belongs_to_no_job_is_nobodys(world: World) -> None:
    working = Doing(world.control.tools)
    working.began(1)
    working.ended(Weight(1.0, 1, 1))
    assert await working.weigh() == {}
    assert not working._writing
