"""Walking the items of a rehearsal, with steps that are played and a real database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from support.items import NOW, StillClock, add_item, add_user

from rostra.config.sections import Settings
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item
from rostra.db.engine import Sessions, reading_factory, session_factory, transaction
from rostra.jobs.tables import Task
from rostra.rehearsal import records, shelves
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import LADDER, Answer, Built, Checked, Moved, Plan, Resolved, Started, Step
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.steps import Steps
from rostra.rehearsal.tables import BuiltAside, Finding, Rehearsal
from rostra.rehearsal.target import wish
from rostra.rehearsal.walk import Walk
from rostra.runtimes.model import Runtime

pytestmark = pytest.mark.anyio


def runtime(version: str) -> Runtime:
    path = Path(f"/opt/python/{version}")
    return Runtime(version=Version(version), executable=path, target=path, identity=version)


class Store:
    def __init__(self) -> None:
        self.removed: list[str] = []

    def get(self, key: str) -> None:
        return None

    async def remove(self, key: str) -> bool:
        self.removed.append(key)
        return True


class Played(Steps):
    """Answers at once, remembering as the real steps do; ``gate`` stops it at the named item's start."""

    outcomes: ClassVar[dict[str, str]] = {}
    started_items: ClassVar[list[str]] = []
    plans: ClassVar[tuple[Plan, ...]] = (Plan(),)
    gate: ClassVar[asyncio.Event | None] = None
    reached: ClassVar[asyncio.Event | None] = None

    async def resolved(self, work: Any, to: Runtime) -> Resolved:
        async def find() -> Resolved:
            return Resolved(plans=self.plans)

        return await self._once(f"resolve:{work.bundle.environment_key}:{to.identity}", find, shelves.resolved)

    async def checked(self, work: Any, to: Runtime) -> Checked:
        return Checked()

    async def built(self, work: Any, to: Runtime, resolved: Resolved, first: int = 0) -> Built:
        key = f"new-{work.bundle.environment_key}" + (f"-{first}" if first else "")
        async with transaction(self._bench.tools.sessions) as session:
            await records.intend(session, self._id, key)
        return Built(plan=first, key=key)

    async def started(self, work: Any, to: Runtime, built: Built) -> Started:
        if self.gate is not None and work.item.name == "slow":
            assert self.reached is not None
            self.reached.set()
            await self.gate.wait()
        Played.started_items.append(work.item.name)
        good = self.outcomes.get(work.item.name, "good") in ("good", f"good with {built.plan}")
        then = Answer(good=good, status=200 if good else 500, reason="" if good else "it fell over")
        return Started(then=then, today=Answer(good=True, status=200))


@pytest.fixture
def sessions_and_bench(engine: AsyncEngine, database_settings: Settings, tmp_path: Path) -> tuple[Sessions, Bench]:
    Played.outcomes, Played.started_items, Played.gate, Played.reached = {}, [], None, None
    Played.plans = (Plan(),)
    sessions = session_factory(engine)
    tools = SimpleNamespace(
        sessions=sessions,
        reading=reading_factory(engine),
        settings=lambda: database_settings,
        runtimes=lambda: [runtime("3.8.18"), runtime("3.13.0")],
        places=Places(tmp_path),
        clock=StillClock(NOW),
        server_url="http://x.example",
    )
    return sessions, Bench(tools=cast(Any, tools), store=cast(Any, Store()), render=cast(Any, None))


async def publish(sessions: Sessions, tmp: Path, name: str, version: str = "3.8.18", key: str = "e1") -> str:
    """Add an item with a live bundle that was built for ``version``."""
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-api", "entrypoint": "app"},
        "python": {"version": version},
    }
    async with transaction(sessions) as session:
        found = (await session.execute(sa.text("SELECT count(*) FROM users"))).scalar_one()
        owner = await add_user(session, f"{name}-owner{found}")
        item = await add_item(session, owner, name=name)
        bundle = Bundle(
            item_id=item.id, created_at=NOW, size=1, md5="", sha1="", sha256=name, metadata_={}, manifest=manifest,
            kind="python-api", entrypoint="app", state="built", requested_version=version, runtime_version=version,
            runtime_path=f"/opt/python/{version}", environment_key=key, managed=True,
        )  # fmt: skip
        session.add(bundle)
        await session.flush()
        item.live_bundle_id = bundle.id
        (tmp / "apps" / item.guid / str(bundle.id)).mkdir(parents=True)
        return item.guid


async def begun(bench: Bench, steps: tuple[Step, ...] = LADDER, **more: Any) -> str:
    async with transaction(bench.tools.sessions) as session:
        return (await records.begin(session, Wanted(wish=wish(["3.8"], "auto"), steps=steps, **more), NOW)).id


def walk(bench: Bench, rehearsal_id: str, say: Callable[[str], None] = lambda _: None) -> Walk:
    return Walk(bench, rehearsal_id, say, make_steps=Played)


async def read(bench: Bench, rehearsal_id: str) -> tuple[str, dict[str, str]]:
    async with transaction(bench.tools.reading) as session:
        state = await records.state_of(session, rehearsal_id)
        return state, {each["name"]: each["outcome"] for each in await records.results(session, rehearsal_id)}


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


async def test_one_of_each_environment_comes_first(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, bench = sessions_and_bench
    for number in range(7):
        await publish(sessions, tmp_path, f"item{number}", key=f"e{number % 3}")
    rehearsal_id = await begun(bench)
    async with transaction(sessions) as session:
        order = await records.waiting(session, rehearsal_id)
        wanted = sa.select(Item.guid, Bundle.environment_key).join(Bundle, Bundle.id == Item.live_bundle_id)
        keys = {row.guid: row.environment_key for row in await session.execute(wanted)}
    assert [keys[guid] for guid in order] == ["e0", "e1", "e2", "e0", "e0", "e1", "e2"]


async def test_an_item_more_asks_the_database_for_little(
    sessions_and_bench: tuple[Sessions, Bench], engine: AsyncEngine, tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    for number in range(80):
        await publish(sessions, tmp_path, f"item{number}")
    rehearsal_id = await begun(bench, (Step.match, Step.resolve))
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await walk(bench, rehearsal_id).run()
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len((await read(bench, rehearsal_id))[1]) == 80
    assert len(asked) <= 80, "items are read and results stored many at a time"


@pytest.mark.parametrize("becomes", ["published anew", "deleted", "moved"])
async def test_an_item_that_changes_after_it_was_read_is_judged_as_it_is(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    monkeypatch.setattr("rostra.rehearsal.walk.WALKERS", 1)
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "slow")
    guid = await publish(sessions, tmp_path, "beta")
    rehearsal_id = await begun(bench)
    Played.gate, Played.reached = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(walk(bench, rehearsal_id).run())
    await Played.reached.wait()
    (before,) = (tmp_path / "apps" / guid).iterdir()
    before.rmdir()
    async with transaction(sessions) as session:
        item = (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one()
        if becomes == "deleted":
            item.deleted_at = NOW
        else:
            old = await session.get_one(Bundle, int(before.name))
            version = "3.13.0" if becomes == "moved" else "3.8.18"
            kept = {
                name: getattr(old, name)
                for name in ("size", "md5", "sha1", "sha256", "metadata_", "manifest", "kind", "entrypoint", "managed")
            }
            made = Bundle(item_id=item.id, created_at=NOW, state="built", runtime_version=version,
                          runtime_path=f"/opt/python/{version}", environment_key="e1", **kept)  # fmt: skip
            session.add(made)
            await session.flush()
            item.live_bundle_id = made.id
            (tmp_path / "apps" / guid / str(made.id)).mkdir()
    Played.gate.set()
    assert await running == "done"
    judged = (await read(bench, rehearsal_id))[1]
    assert judged == {"slow": "safe"} | ({"beta": "safe"} if becomes == "published anew" else {})


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
