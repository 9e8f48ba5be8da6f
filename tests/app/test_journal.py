"""What is written of processes: a record from start to end, and the end of the key each was given."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from support.controlling import House, World

from rostra.auth.tables import ApiKey
from rostra.db.engine import transaction
from rostra.ids import ProcessKey

pytestmark = pytest.mark.anyio


async def keys_of_processes(world: World) -> list[str | None]:
    async with transaction(world.control.tools.reading) as session:
        wanted = sa.select(ApiKey.process_key).where(ApiKey.process_key.is_not(None))
        return list((await session.execute(wanted)).scalars())


async def ended(world: World, key: str) -> tuple[int | None, str | None]:
    while (job := (await world.jobs())[key]).ended_at is None:
        pass
    return job.exit_code, job.error


async def test_a_crash_is_recorded_with_its_status_and_ends_the_key(world: World) -> None:
    guid = await world.published()
    (key,) = world.running(guid)
    assert await keys_of_processes(world) == [key]
    record = (await world.jobs())[key]
    assert (record.pid, record.ended_at, record.tag) == (1001, None, "run_fastapi_app")
    world.house.launcher.crash(ProcessKey(key), 3)
    code, error = await ended(world, key)
    assert code == 3
    assert "status 3" in (error or "")
    assert await keys_of_processes(world) == []


async def test_an_end_that_was_wanted_is_no_error(world: World) -> None:
    guid = await world.published()
    (key,) = world.running(guid)
    await world.api("DELETE", f"content/{guid}/jobs/{key}")
    assert (await ended(world, key))[1] is None


async def test_a_process_goes_on_while_control_is_replaced(house: House) -> None:
    async with house.open() as world:
        await world.people()
        secrets, guid = world.secrets, await world.published()
        (key,) = world.running(guid)
    async with house.open() as world:
        world.secrets = secrets
        assert world.running(guid) == [key]
        assert (await world.jobs())[key].ended_at is None
        assert await keys_of_processes(world) == [key]


async def test_what_ended_meanwhile_is_completed_at_the_next_start(house: House) -> None:
    async with house.open() as world:
        await world.people()
        secrets, guid = world.secrets, await world.published()
        (key,) = world.running(guid)
    house.launcher.crash(ProcessKey(key), 9)
    async with house.open() as world:
        world.secrets = secrets
        record = (await world.jobs())[key]
        assert (record.exit_code, record.error) == (-1, "The server was interrupted while it ran.")
        assert await keys_of_processes(world) == []
        assert world.running(guid) == []
