"""Walking the items of a rehearsal, with steps that are played and a real database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from rehearsal.walking import Played, begun, publish, read, walk
from support.items import NOW

from rostra.content.tables import Item
from rostra.db.engine import Sessions, transaction
from rostra.jobs.tables import Task
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Moved, Plan, Step
from rostra.rehearsal.tables import BuiltAside, Finding, Rehearsal

pytestmark = pytest.mark.anyio


async def test_a_further_plan_is_tried_when_the_first_does_not_start(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    moves = (Moved(name="a", before="1", after="2"), Moved(name="a", before="1", after="3"))
    Played.plans = tuple(Plan(pins=(f"a=={move.after}",), moved=(move,)) for move in moves)
    Played.outcomes = {"picky": "good with 1", "broken": "never"}
    for name in ("easy", "picky", "broken"):
        await publish(sessions, tmp_path, name, key=name)
    rehearsal = await begun(bench)
    await walk(bench, rehearsal).run()
    assert await read(bench, rehearsal) == (
        "done",
        {"easy": "new-pins", "picky": "new-pins", "broken": "needs-work"},
    )
    async with transaction(sessions) as session:
        told = {each["name"]: each for each in await records.results(session, rehearsal)}
    assert [told[name]["pins"] for name in ("easy", "picky", "broken")] == [["a==2"], ["a==3"], ["a==2"]]
    assert told["picky"]["notes"] == ["With a 2 alone it installs but does not start: it fell over."]
    assert told["picky"]["built_key"] == "new-picky-1"
    assert (told["broken"]["reason"], told["broken"]["notes"]) == ("It fell over.", [])


async def test_only_what_runs_on_it_is_rehearsed(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "alpha")
    await publish(sessions, tmp_path, "beta")
    await publish(sessions, tmp_path, "new", "3.13.0")
    Played.outcomes = {"beta": "bad"}
    said: list[str] = []
    rehearsal_id = await begun(bench)
    assert await walk(bench, rehearsal_id, said.append).run() == "done"
    assert await read(bench, rehearsal_id) == ("done", {"alpha": "safe", "beta": "needs-work"})
    assert any("[2/2]" in line for line in said)
    assert said[-1] == "1 safe, 0 new-pins, 1 needs-work, 0 impossible"


async def test_a_thousand_items_with_few_environments_ask_few_times(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    for number in range(12):
        await publish(sessions, tmp_path, f"item{number}", key=f"e{number % 3}")
    one = walk(bench, await begun(bench, (Step.match, Step.resolve)))
    await one.run()
    assert (one.done, one.asked) == (12, 3)
    again = walk(bench, await begun(bench, (Step.match, Step.resolve)))
    await again.run()
    assert again.asked == 0, "found out today already"
    fresh = walk(bench, await begun(bench, (Step.match, Step.resolve), fresh=True))
    async with transaction(sessions) as session:
        await session.execute(sa.update(Finding).values(found_at=NOW - dt.timedelta(seconds=1)))
    await fresh.run()
    assert fresh.asked == 3


async def test_a_killed_one_goes_on_with_what_is_left(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    for name in ("alpha", "beta", "slow"):
        await publish(sessions, tmp_path, name)
    rehearsal_id = await begun(bench)
    Played.gate, Played.reached = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(walk(bench, rehearsal_id).run())
    await Played.reached.wait()
    while len((await read(bench, rehearsal_id))[1]) < 2:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await read(bench, rehearsal_id) == ("running", {"alpha": "safe", "beta": "safe"})
    Played.gate = None
    said: list[str] = []
    await walk(bench, rehearsal_id, said.append).run()
    assert "Going on: 2 of 3 items were judged before" in said
    assert sorted(Played.started_items) == ["alpha", "beta", "slow"]
    assert (await read(bench, rehearsal_id))[0] == "done"


async def test_somebody_cancels_it(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rostra.rehearsal.walk.LOOK_EVERY", 0.01)
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "slow")
    rehearsal_id = await begun(bench)
    Played.gate, Played.reached = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(walk(bench, rehearsal_id).run())
    await Played.reached.wait()
    async with transaction(sessions) as session:
        assert await records.enter(session, rehearsal_id, "cancelled", NOW)
    assert await running == "cancelled"
    assert cast(Any, bench.store).removed == ["new-e1"], "what was built aside is gone"
    assert await walk(bench, rehearsal_id).run() == "cancelled", "and it is not begun again"


@pytest.mark.parametrize(
    ("keep", "used", "deploying", "removed", "why"),
    [
        (False, False, False, ["new-e1"], "nobody wants it"),
        (True, False, False, [], "it is to be kept"),
        (False, True, False, [], "content came to use it meanwhile"),
        (False, False, True, [], "a deploy may be about to use it"),
    ],
)
async def test_what_was_built_aside_is_removed(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path,
    keep: bool, used: bool, deploying: bool, removed: list[str], why: str,
) -> None:  # fmt: skip
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "alpha")
    if used:
        await publish(sessions, tmp_path, "other", "3.13.0", key="new-e1")
    if deploying:
        async with transaction(sessions) as session:
            session.add(Task(id="t", kind="deploy", payload={}, created_at=NOW))
    await walk(bench, await begun(bench, keep=keep)).run()
    assert cast(Any, bench.store).removed == removed, why
    async with transaction(sessions) as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(BuiltAside))).scalar_one() == 0


async def test_several_items_may_want_the_same_new_environment_at_once(
    sessions_and_bench: tuple[Sessions, Bench],
) -> None:
    sessions, bench = sessions_and_bench
    rehearsal_id = await begun(bench)

    async def note() -> None:
        async with transaction(sessions) as session:
            await records.intend(session, rehearsal_id, "new-e1")
            await asyncio.sleep(0)

    await asyncio.gather(*(note() for _ in range(8)))
    async with transaction(bench.tools.reading) as session:
        assert await records.to_reap(session, rehearsal_id, ()) == ["new-e1"]


async def test_an_item_that_went_meanwhile_is_left_out(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    guid = await publish(sessions, tmp_path, "alpha")
    rehearsal_id = await begun(bench)
    async with transaction(sessions) as session:
        await session.execute(sa.update(Item).where(Item.guid == guid).values(deleted_at=NOW))
    await walk(bench, rehearsal_id).run()
    assert await read(bench, rehearsal_id) == ("done", {})


async def test_what_cannot_be_read_is_a_result_too(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, bench = sessions_and_bench
    guid = await publish(sessions, tmp_path, "alpha")
    for folder in (tmp_path / "apps" / guid).iterdir():
        folder.rmdir()
    rehearsal_id = await begun(bench)
    await walk(bench, rehearsal_id).run()
    async with transaction(sessions) as session:
        (result,) = await records.results(session, rehearsal_id)
    assert result["outcome"] == "impossible"
    assert result["reason"].startswith("It cannot be rehearsed")


async def test_without_the_right_to_build_it_looks_and_reads_only(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "alpha")
    reading = Bench(tools=bench.tools, store=bench.store, render=bench.render, may_build=False)
    rehearsal_id = await begun(reading)
    await walk(reading, rehearsal_id).run()
    assert Played.started_items == []
    assert (await read(reading, rehearsal_id))[1] == {"alpha": "safe"}
    async with transaction(sessions) as session:
        (result,) = await records.results(session, rehearsal_id)
        told = await records.get(session, rehearsal_id)
    assert (result["depth"], result["decided_by"]) == ("static", "resolve")
    assert told.steps == ["match", "resolve", "static"], "it does not count as a rehearsal that started anything"


async def test_old_ones_are_forgotten(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "alpha")
    for _ in range(records.KEPT + 3):
        rehearsal_id = await begun(bench, (Step.match,))
        async with transaction(sessions) as session:
            await records.enter(session, rehearsal_id, "done", NOW)
    await begun(bench, (Step.match,))
    async with transaction(sessions) as session:
        count = (await session.execute(sa.select(sa.func.count()).select_from(Rehearsal))).scalar_one()
        assert count <= records.KEPT + 1


async def test_use_and_owner_are_told(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, _ = sessions_and_bench
    guid = await publish(sessions, tmp_path, "alpha")
    async with transaction(sessions) as session:
        told = (await records.about(session, [guid], "http://x.example", NOW))[guid]
    assert told.owner["username"].startswith("alpha-owner")
    assert told.use["visits_30d"] == 0
    assert told.url == f"http://x.example/content/{guid}/"
    assert json.dumps(dict(told.use))
