"""What processes take, asked of the launcher."""

import pytest
from support.controlling import World

from rostra.app.sampling import FRESH, Sampling, cores
from rostra.content import job_samples
from rostra.db.engine import transaction
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("before", "now", "elapsed", "expected", "why"),
    [
        (1.0, 4.0, 2.0, 1.5, "cores that were busy"),
        (None, 4.0, 2.0, 0.0, "not seen before"),
        (4.0, 1.0, 2.0, 0.0, "a child took its seconds along"),
        (1.0, 4.0, 0.0, 0.0, "two looks at one moment"),
    ],
)
def test_cores(before: float | None, now: float, elapsed: float, expected: float, why: str) -> None:
    earlier = None if before is None else Weight(before, 0, 1)
    assert cores(Weight(now, 0, 1), earlier, elapsed) == expected, why


async def started(world: World) -> ProcessKey:
    await world.published()
    (running,) = await world.house.launcher.running()
    return running.key


async def recorded(world: World, key: ProcessKey) -> list[tuple[float, int, int]]:
    async with transaction(world.control.tools.reading) as session:
        rows = await job_samples.listing(session, key)
    return [(row.cpu, row.memory_bytes, row.processes) for row in rows]


async def test_what_runs_is_recorded_every_half_minute(world: World) -> None:
    key, launcher, sampling = await started(world), world.house.launcher, world.control.upkeep.sampling
    launcher.weights[key] = Weight(1.0, 5000, 2)
    assert await sampling.record() == 0, "what it took before is not known"
    world.house.clock.move(seconds=5)
    launcher.weights[key] = Weight(6.0, 7000, 3)
    assert await sampling.record() == 1
    for _ in range(4):
        world.house.clock.move(seconds=5)
        await sampling.present()  # whoever asks in between takes nothing from the record
        assert await sampling.record() == 0
    world.house.clock.move(seconds=5)
    launcher.weights[key] = Weight(21.0, 9000, 1)
    assert await sampling.record() == 1
    assert await recorded(world, key) == [(1.0, 7000, 3), (0.6, 9000, 1)]


async def test_nobody_looks_between_records_when_nothing_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key, launcher, sampling = await started(world), world.house.launcher, world.control.upkeep.sampling
    launcher.weights[key] = Weight(1.0, 5000, 2)
    looks, weigh = [], launcher.weigh

    async def counted() -> object:
        looks.append(world.house.clock.now())
        return await weigh()

    monkeypatch.setattr(launcher, "weigh", counted)
    for _ in range(7):
        await sampling.record()
        world.house.clock.move(seconds=5)
    assert len(looks) == 3, "the first two of a new process, and the one that is due"


async def test_a_clock_that_is_set_back_makes_no_record_of_its_own(world: World) -> None:
    key, launcher, sampling = await started(world), world.house.launcher, world.control.upkeep.sampling
    launcher.weights[key] = Weight(1.0, 5000, 2)
    await sampling.record()
    world.house.clock.move(seconds=-60)
    launcher.weights[key] = Weight(3.0, 5000, 2)
    assert await sampling.record() == 0
    world.house.clock.move(seconds=4)
    launcher.weights[key] = Weight(5.0, 5000, 2)
    await sampling.record()
    assert await recorded(world, key) == [(0.5, 5000, 2)]


async def test_asking_often_asks_the_launcher_once(world: World) -> None:
    key, launcher, sampling = await started(world), world.house.launcher, world.control.upkeep.sampling
    launcher.weights[key] = Weight(1.0, 5000, 1)
    first = await sampling.present()
    launcher.weights[key] = Weight(2.0, 9000, 1)
    assert await sampling.present() == first
    world.house.clock.move(seconds=FRESH.total_seconds())
    assert [one.memory_bytes for one in await sampling.present()] == [9000]


async def test_a_launcher_that_cannot_say_is_no_trouble(world: World) -> None:
    sampling = Sampling(world.control.tools, object())  # type: ignore[arg-type]
    assert await sampling.record() == 0
    assert await sampling.present() == ()
