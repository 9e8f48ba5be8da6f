import re

import pytest
from support.controlling import World

from rostra.app.prometheus import FRESH, Gauge, text
from rostra.execution.weights import Weight

pytestmark = pytest.mark.anyio
LINE = re.compile(r'(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+]+)')


def test_the_text_is_what_collectors_read() -> None:
    gauges = [Gauge(name="a", help="A.", values={"": 1.5}), Gauge(name="b", help="B.", values={'x="y"': 10_000_000})]
    assert text(gauges) == ('# HELP a A.\n# TYPE a gauge\na 1.5\n# HELP b B.\n# TYPE b gauge\nb{x="y"} 10000000\n')


async def test_anybody_may_read_numbers_and_no_names(world: World) -> None:
    guid = await world.published()
    answer = await world.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert [line for line in answer.text.splitlines() if not LINE.fullmatch(line)] == []
    assert guid not in answer.text
    assert "ada" not in answer.text.split()


async def test_it_counts_what_runs(world: World) -> None:
    await world.published()
    (running,) = await world.house.launcher.running()
    world.house.launcher.weights[running.key] = Weight(1.0, 5000, 1)
    lines = (await world.get("/metrics")).text.splitlines()
    assert {"rostra_content_processes 1", "rostra_content_memory_bytes 5000", "rostra_content_items 1"} <= set(lines)
    assert 'rostra_tasks{state="waiting"} 0' in lines


async def test_the_database_counts_at_most_every_few_seconds(world: World) -> None:
    before = (await world.get("/metrics")).text
    await world.item()
    assert (await world.get("/metrics")).text == before
    world.house.clock.move(seconds=FRESH.total_seconds())
    assert "rostra_content_items 1" in (await world.get("/metrics")).text
