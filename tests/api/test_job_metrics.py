"""What processes take, over time and now."""

import datetime as dt

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from support import api
from support.api import World, live_item, row_of
from support.moments import NOON

from rostra.config.sections import Settings
from rostra.content import job_records, job_samples
from rostra.content.job_samples import Sample
from rostra.content.tables import Item
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


async def running(world: World, guid: str, key: str = "job1", pid: int = 4711) -> str:
    item = await row_of(world, guid)
    async with transaction(world.live.sessions) as session:
        await job_records.begin(session, item.id, "run_fastapi_app", NOON, key=key, pid=pid)
    return key


def sample(key: str, minutes: float = 0, **more: float) -> Sample:
    facts = {"cpu": 0.5, "memory_bytes": 1000, "processes": 2, "connections": 3, **more}
    return Sample(job=key, at=NOON + dt.timedelta(minutes=minutes), **facts)  # type: ignore[arg-type]


async def record(world: World, *samples: Sample, by_default: bool = True) -> int:
    async with transaction(world.live.sessions) as session:
        return await job_samples.store(session, samples, by_default=by_default)


async def test_a_jobs_samples_are_told_oldest_first(world: World) -> None:
    guid = (await live_item(world))["guid"]
    key = await running(world, guid)
    for minutes in (1, 0):
        await record(world, sample(key, minutes))
    told = await world.client("ada").read(f"v1/content/{guid}/jobs/{key}/metrics")
    assert (told["job_key"], told["content_guid"]) == (key, guid)
    assert [row["time"] for row in told["metrics"]] == ["2026-09-01T12:00:00Z", "2026-09-01T12:01:00Z"]
    assert told["metrics"][0] | {"time": ""} == {
        "time": "",
        "cpu": 0.5,
        "memory": 1000,
        "processes": 2,
        "connections": 3,
    }


@pytest.mark.parametrize(
    ("query", "count"), [("from=2026-09-01T12:00:30Z", 1), ("to=2026-09-01T12:00:30Z", 1), ("to=2026-09-01", 2)]
)
async def test_between_two_moments(world: World, query: str, count: int) -> None:
    guid = (await live_item(world))["guid"]
    key = await running(world, guid)
    for minutes in (0, 1):
        await record(world, sample(key, minutes))
    told = await world.client("ada").read(f"v1/content/{guid}/jobs/{key}/metrics?{query}")
    assert len(told["metrics"]) == count


async def test_a_job_that_is_not_there(world: World) -> None:
    guid = (await live_item(world))["guid"]
    answer = await world.client("ada").get(f"v1/content/{guid}/jobs/nothing/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


@pytest.mark.parametrize(
    ("own", "by_default", "count"), [(None, True, 1), (None, False, 0), (True, False, 1), (False, True, 0)]
)
async def test_an_item_may_say_whether_it_is_watched(
    world: World, own: bool | None, by_default: bool, count: int
) -> None:
    guid = (await live_item(world))["guid"]
    await world.client("ada").ask("PATCH", f"v1/content/{guid}", {"metrics_collection_enabled": own})
    assert await record(world, sample(await running(world, guid)), by_default=by_default) == count


async def test_samples_of_unknown_jobs_are_dropped_and_old_ones_forgotten(world: World) -> None:
    guid = (await live_item(world))["guid"]
    key = await running(world, guid)
    assert await record(world, sample(key), sample("unknown")) == 1
    async with transaction(world.live.sessions) as session:
        await job_samples.prune(session, NOON + job_samples.KEPT + dt.timedelta(seconds=1))
        assert await job_samples.listing(session, key) == []


async def test_samples_go_with_their_item(world: World) -> None:
    guid = (await live_item(world))["guid"]
    key = await running(world, guid)
    await record(world, sample(key))
    item = await row_of(world, guid)
    async with transaction(world.live.sessions) as session:
        await session.delete(await session.get(Item, item.id))
    async with transaction(world.live.reading) as session:
        assert await job_samples.listing(session, key) == []


async def test_what_runs_now_is_told_by_process_id(engine: AsyncEngine, database_settings: Settings) -> None:
    seen: list[Sample] = []

    async def taken() -> list[Sample]:
        return seen

    async with api.world(engine, database_settings, taken=taken) as world:
        item = await live_item(world)
        guid = item["guid"]
        seen += [sample(await running(world, guid)), sample("somebody-elses")]
        told = await world.client("ada").read("metrics/procs")
        assert list(told) == ["4711"]
        wanted = ("appGuid", "appName", "type", "cpuCurrent", "ram")
        assert [told["4711"][name] for name in wanted] == [guid, item["name"], "run_fastapi_app", 0.5, 1000]
        assert told["4711"]["cpuTotal"] >= 1
        assert await world.client("bob").read("metrics/procs") == {}
        assert list(await world.client("root").read("metrics/procs")) == ["4711"]
