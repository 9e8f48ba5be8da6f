"""Walks of rehearsals with steps that are played, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncEngine
from support.items import NOW, StillClock, add_item, add_user

from rostra.config.sections import Settings
from rostra.content.places import Places
from rostra.content.tables import Bundle
from rostra.db.engine import Sessions, reading_factory, session_factory, transaction
from rostra.rehearsal import records, shelves
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import LADDER, Answer, Built, Checked, Plan, Resolved, Started, Step
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.steps import Steps
from rostra.rehearsal.target import wish
from rostra.rehearsal.walk import Walk
from rostra.runtimes.model import Runtime


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
