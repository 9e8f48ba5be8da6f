"""Turns: bounded, in order, visitors first, and each knows its place."""

from __future__ import annotations

import asyncio

import pytest

from rostra.environments.turns import Turns, nobody

pytestmark = pytest.mark.anyio


class Line:
    """People who take turns and write down when."""

    def __init__(self, count: int) -> None:
        self.turns = Turns(count)
        self.inside: list[str] = []
        self.most = 0
        self.order: list[str] = []
        self.places: dict[str, list[int | None]] = {}
        self.go: dict[str, asyncio.Event] = {}

    async def one(self, name: str, *, patient: bool = False) -> None:
        self.go[name] = asyncio.Event()
        heard = self.places.setdefault(name, [])
        async with self.turns.turn(heard.append, name=name, patient=patient):
            self.order.append(name)
            self.inside.append(name)
            self.most = max(self.most, len(self.inside))
            await self.go[name].wait()
            self.inside.remove(name)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def start(line: Line, group: asyncio.TaskGroup, *names: str, patient: bool = False) -> list[asyncio.Task[None]]:
    tasks = []
    for name in names:
        tasks.append(group.create_task(line.one(name, patient=patient)))
        await settle()
    return tasks


async def test_no_more_than_may_and_in_the_order_they_came() -> None:
    line = Line(2)
    async with asyncio.TaskGroup() as group:
        await start(line, group, *"abcd")
        assert line.inside == ["a", "b"]
        for name in "abcd":
            line.go[name].set()
            await settle()
    assert line.order == list("abcd")
    assert line.most == 2


async def test_each_is_told_its_place() -> None:
    line = Line(1)
    async with asyncio.TaskGroup() as group:
        await start(line, group, *"abc")
        for name in "abc":
            line.go[name].set()
            await settle()
    assert line.places == {"a": [], "b": [1, None], "c": [2, 1, None]}


async def test_a_visitor_goes_before_work_done_ahead_of_time() -> None:
    line = Line(1)
    async with asyncio.TaskGroup() as group:
        await start(line, group, "a")
        await start(line, group, "p", "q", patient=True)
        await start(line, group, "v")
        for name in "avpq":
            line.go[name].set()
            await settle()
    assert line.order == ["a", "v", "p", "q"]
    assert line.places["p"] == [1, 2, 1, None]


async def test_a_patient_one_hurries_when_a_visitor_waits_for_it() -> None:
    line = Line(1)
    async with asyncio.TaskGroup() as group:
        await start(line, group, "a")
        await start(line, group, "p", "q", patient=True)
        line.turns.hurry("q", patient=True)
        line.turns.hurry("unknown", patient=False)
        assert line.places["q"] == [2]
        line.turns.hurry("q", patient=False)
        for name in "aqp":
            line.go[name].set()
            await settle()
    assert line.order == ["a", "q", "p"]


async def test_who_gives_up_leaves_the_queue() -> None:
    line = Line(1)
    async with asyncio.TaskGroup() as group:
        _, leaving, _ = await start(line, group, *"abc")
        leaving.cancel()
        await settle()
        assert line.places["c"] == [2, 1]
        line.go["a"].set()
        await settle()
        line.go["c"].set()
    assert line.order == ["a", "c"]


async def test_a_block_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1)

    async def fail() -> None:
        async with turns.turn(nobody):
            assert turns.full()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert not turns.full()
