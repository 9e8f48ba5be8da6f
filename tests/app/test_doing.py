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

pytestmark = pytest.mark.anyio


async def test_what_a_job_starts_is_recorded_and_weighed_until_it_ends(world: World) -> None:
    await world.published()
    tools = world.control.tools
    async with transaction(tools.sessions) as session:
        item_id = (await session.execute(sa.select(Item.id).limit(1))).scalar_one()
        await job_records.begin(session, item_id, "build_jupyter", tools.clock.now(), key="render1")
    working = Doing(tools.sessions)
    sampling = Sampling(tools, world.house.launcher, working)
    process = subprocess.Popen(["sleep", "600"])
    with doing.job("render1"):
        working.began(process.pid)
    await asyncio.gather(*working._writing)
    await sampling.record()
    process.kill()
    process.wait()
    assert "render1" not in await working.weigh()
    async with transaction(tools.reading) as session:
        (sample,) = await job_samples.listing(session, "render1")
        job = await session.get_one(Job, "render1")
    assert (sample.processes, sample.memory_bytes > 0) == (1, True)
    assert job.pid == process.pid


async def test_what_belongs_to_no_job_is_nobodys() -> None:
    working = Doing()
    working.began(1)
    assert await working.weigh() == {}
