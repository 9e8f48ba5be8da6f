"""Control as a whole, with a played launcher and played environments: what it does when interpreters come and go."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs
from support.api import runtime
from support.items import add_item, add_user
from support.moments import MovedClock

from rostra.app import control as composition
from rostra.app.control import Control
from rostra.app.environment_work import REAP, REBUILD
from rostra.app.present import Present
from rostra.config.load import Loaded, load
from rostra.content import usage
from rostra.content.tables import Bundle, Item
from rostra.content.usage_pages import Asked
from rostra.db.engine import transaction
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.execution.fake import FakeLauncher
from rostra.ids import PoolKey
from rostra.jobs.tables import Task
from rostra.runtimes.catalog import Catalog
from rostra.runtimes.model import Runtime, RuntimeState

pytestmark = pytest.mark.anyio

OLD, NEW = runtime("3.8.18"), runtime("3.11.7")
MANIFEST = {"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}}


@dataclass
class Shelves:
    """Makes any environment at once, or when ``gate`` opens."""

    folder: Path
    gate: asyncio.Event | None = None
    keys: list[str] = field(default_factory=list)
    store: Any = None
    overlays: Any = None

    async def ensure(
        self, spec: EnvironmentSpec, say: Callable[[str], None], *, place: Any = None, patient: bool = False
    ) -> Environment:
        say("Building environment k")
        if self.gate:
            place(1)
            await self.gate.wait()
            place(None)
        self.keys.append(str(spec.runtime.version))
        return Environment(key="k", runtime=spec.runtime, python=Path("/bin/true"), root=self.folder, lock="")

    async def overlay(self, _runtime: Runtime, _say: Callable[[str], None]) -> Path:
        return self.folder

    async def reconcile(self) -> list[str]:
        return []


class Offered(Present):
    """Has whatever interpreters a test gives it."""

    offered: Sequence[Runtime] = (OLD, NEW)

    def runtimes(self) -> Sequence[Runtime]:
        return self.offered


@dataclass
class World:
    control: Control
    present: Offered
    shelves: Shelves
    launcher: FakeLauncher
    clock: MovedClock
    item: str = ""

    @property
    def pool(self) -> PoolKey:
        return PoolKey(self.item)

    async def decide(self) -> dict[str, Any]:
        return await self.control.visits.decide(f"/content/{self.item}/", {"scheme": "none", "value": ""})

    async def get(self, **headers: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.control.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://rostra.test") as client:
            return await client.get(f"/content/{self.item}/", headers=headers)

    async def tasks(self, kind: str) -> list[Task]:
        async with transaction(self.control.tools.reading) as session:
            return list((await session.execute(sa.select(Task).where(Task.kind == kind))).scalars())


def loaded(folder: Path, text: str = "") -> Loaded:
    config = folder / "rostra.gcfg"
    config.write_text(f"[Server]\nDataDir = {folder}\n[Applications]\nBuildPatience = 100ms\nSandbox = off\n{text}")
    return load(config, {})


async def publish(control: Control, version: str) -> str:
    tools = control.tools
    async with transaction(tools.sessions) as session:
        item = await add_item(session, await add_user(session, "ada"), access_type="all", title="Sales")
        facts = {"size": 1, "md5": "", "sha1": "", "sha256": "", "state": "built", "created_at": tools.clock.now()}
        bundle = Bundle(item_id=item.id, kind="python-fastapi", entrypoint="app:app", manifest=MANIFEST, **facts)
        bundle.runtime_version, bundle.runtime_path = version, f"/opt/python/{version}/bin/python3"
        session.add(bundle)
        await session.flush()
        item.live_bundle_id, item.kind = bundle.id, bundle.kind
        tools.places.app(item.guid, bundle.id).mkdir(parents=True)
        return item.guid


@pytest.fixture
async def world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("w")
    shelves, launcher, clock = Shelves(folder), FakeLauncher(), MovedClock()
    monkeypatch.setattr(composition, "installed", lambda *_: shelves)
    present = Offered(loaded(folder), Catalog(), clock)
    (folder / "run").mkdir()
    async with composition.control(present, launcher, clock) as control:
        yield World(control, present, shelves, launcher, clock, await publish(control, "3.8.18"))
    launcher.close()


async def test_what_runs_on_a_retired_python_ends_and_is_answered_502(world: World) -> None:
    assert (await world.decide())["to"] == "pool"
    assert await world.control.visits.process(world.pool)
    world.present.offered = (dataclasses.replace(OLD, state=RuntimeState.retired), NEW)
    assert (await world.decide())["to"] == "control", "from the same moment on"
    await world.control.upkeep.follow()
    assert world.control.tools.pools.defined(world.pool) is None
    for _ in range(2):
        told = await world.get()
        assert (told.status_code, told.json()["problem"], told.json()["python"]) == (502, "runtime-gone", "3.8.18")
    page = await world.get(accept="text/html")
    assert page.status_code == 502
    assert "This server has Python 3.11.7" in page.text


async def test_a_reload_on_a_full_disk_is_a_reload(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rostra.app.reloaded.keep", full)
    world.present.offered = (dataclasses.replace(OLD, state=RuntimeState.retired), NEW)
    with capture_logs() as said:
        await world.control.reload(lambda: world.present.loaded)
    assert "could not be written down" in said[-1]["event"]
    assert (await world.decide())["to"] == "control"


async def test_a_python_that_is_back_starts_content_again(world: World) -> None:
    world.present.offered = (NEW,)
    assert not await world.control.visits.process(world.pool)
    assert (await world.get()).status_code == 502
    world.present.offered = (OLD, NEW)
    await world.control.upkeep.follow()
    assert (await world.decide())["to"] == "pool"
    assert await world.control.visits.process(world.pool)


async def test_a_program_that_waits_for_an_installation_is_told_to_come_back(world: World) -> None:
    world.shelves.gate = asyncio.Event()
    assert not await world.control.visits.process(world.pool), "after BuildPatience"
    answer = await world.get()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["position"] == 1
    assert answer.json()["phase"] == "Waiting for other installations"
    page = await world.get(accept="text/html")
    assert "in the queue" in page.text
    assert "Building environment" not in page.text, "progress is for those who may change it"
    world.shelves.gate.set()
    assert await world.control.visits.process(world.pool), "the same start goes on"
    assert len(world.launcher.launches) == 1
    assert world.launcher.launches[0].labels["environment"] == "k"


async def test_a_patch_upgrade_lets_what_runs_go_on_until_the_new_environment_is_ready(world: World) -> None:
    assert await world.control.visits.process(world.pool)
    world.present.offered = (runtime("3.8.20"), NEW)
    await world.control.upkeep.follow()
    await world.control.upkeep.follow()
    assert len(world.control.tools.pools.members(world.pool)) == 1
    task = (await world.tasks(REBUILD))[0]
    seen = await world.control.shop.tasks.view(task.id, first=1000, wait=10)
    while not seen.finished:
        seen = await world.control.shop.tasks.view(task.id, first=1000, wait=10)
    assert (seen.exit_code, len(await world.tasks(REBUILD))) == (0, 1), "asked for once"
    assert world.shelves.keys[-1] == "3.8.20"
    async with transaction(world.control.tools.reading) as session:
        assert (await session.execute(sa.select(Bundle.runtime_version))).scalar_one() == "3.8.20"
    assert await world.control.visits.process(world.pool)
    assert len(world.launcher.launches) == 2


async def test_visits_of_the_gateway_are_written(world: World) -> None:
    at = world.clock.now().timestamp()
    rows = [[world.item, None, f"/content/{world.item}/", at, "curl"], ["gone", None, "/", at, ""]]
    await world.control.visits.told({"tell": "visits", "rows": rows})
    await world.control.upkeep.write()
    async with transaction(world.control.tools.reading) as session:
        found = await usage.listing(session, Asked(), limit=10)
    assert [(row.item, row.agent, row.at) for row in found] == [(world.item, "curl", world.clock.now())]


async def test_reaping_is_asked_for_once_at_a_time_and_only_when_it_is_allowed(world: World) -> None:
    upkeep = world.control.upkeep

    async with transaction(world.control.tools.sessions) as session:
        await session.execute(sa.delete(Task))
    waiting = Task(id="r", kind=REAP, payload={}, created_at=world.clock.now(), attempts=99, exit_code=0, error="")
    waiting.leased_until = world.clock.now() + dt.timedelta(days=1)
    async with transaction(world.control.tools.sessions) as session:
        session.add(waiting)
    await upkeep.tidy()
    assert [task.id for task in await world.tasks(REAP)] == ["r"]
    applications = dataclasses.replace(world.present.settings.applications, python_environment_reaping=False)
    settings = dataclasses.replace(world.present.settings, applications=applications)
    world.present.loaded = dataclasses.replace(world.present.loaded, settings=settings)
    async with transaction(world.control.tools.sessions) as session:
        await session.execute(sa.delete(Task))
    await upkeep.tidy()
    assert await world.tasks(REAP) == []


async def test_old_visits_are_forgotten(world: World) -> None:
    await world.control.visits.told({"tell": "visits", "rows": [[world.item, None, "/", 0, ""]]})
    await world.control.upkeep.write()
    await world.control.upkeep.tidy()
    async with transaction(world.control.tools.reading) as session:
        assert await usage.listing(session, Asked(), limit=1) == []
        assert (await session.execute(sa.select(Item.guid))).scalar_one() == world.item
