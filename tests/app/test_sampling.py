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


async def test_what_runs_is_recorded(world: World) -> None:
    key, launcher, sampling = await started(world), world.house.launcher, world.control.upkeep.sampling
    launcher.weights[key] = Weight(1.0, 5000, 2)
    assert await sampling.record() == 1
    world.house.clock.move(seconds=10)
    launcher.weights[key] = Weight(6.0, 7000, 3)
    await sampling.present()  # whoever asks in between takes nothing from the record
    world.house.clock.move(seconds=10)
    assert await sampling.record() == 1
    async with transaction(world.control.tools.reading) as session:
        rows = await job_samples.listing(session, key)
    assert [(row.cpu, row.memory_bytes, row.processes) for row in rows] == [(0.0, 5000, 2), (0.25, 7000, 3)]


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
