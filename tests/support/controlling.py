"""The whole control process inside a test: real database, files, queue and API; played processes and environments."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from rostra.app import control as composition
from rostra.app.control import Control
from rostra.app.present import Present
from rostra.auth import keys
from rostra.auth.principals import Role
from rostra.config.load import Loaded, load
from rostra.content import items
from rostra.content.tables import Item, Job, Rendering
from rostra.db.engine import transaction
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.execution.fake import FakeLauncher
from rostra.ids import PoolKey, ProcessKey
from rostra.jobs.tables import Task
from rostra.runtimes.catalog import Catalog
from rostra.runtimes.model import Runtime
from support import documented
from support.api import runtime
from support.bundles import bundle
from support.moments import MovedClock
from support.people import person

PYTHON = runtime("3.11.7")
ORIGIN = "http://rostra.test"


@dataclass
class Shelves:
    """Has every environment ready at once; waits for ``gate`` first when there is one."""

    folder: Path
    gate: asyncio.Event | None = None
    store: Any = None
    overlays: Any = None
    asked: int = 0

    def __post_init__(self) -> None:
        self.store = self

    @staticmethod
    def list_ready() -> list[Any]:
        return []

    @staticmethod
    def get(_key: str) -> None:
        return None

    async def ensure(
        self, spec: EnvironmentSpec, say: Callable[[str], None], *, place: Any = None, patient: bool = False
    ) -> Environment:
        self.asked += 1
        say("Building environment k")
        if self.gate:
            await self.gate.wait()
        return Environment(key="k", runtime=spec.runtime, python=Path("/bin/true"), root=self.folder, lock="")

    async def overlay(self, _runtime: Runtime, _say: Callable[[str], None]) -> Path:
        return self.folder

    async def reconcile(self) -> list[str]:
        return []


class Offered(Present):
    """Has one interpreter, whatever this machine has."""

    def runtimes(self) -> tuple[Runtime, ...]:
        return (PYTHON,)


@dataclass
class House:
    """One data folder in which control is started and stopped."""

    folder: Path
    clock: MovedClock
    launcher: FakeLauncher = field(default_factory=FakeLauncher)
    shelves: Shelves = field(init=False)

    def __post_init__(self) -> None:
        self.shelves = Shelves(self.folder)

    def loaded(self) -> Loaded:
        config = self.folder / "rostra.gcfg"
        if not config.exists():
            config.write_text(f"[Server]\nDataDir = {self.folder}\nAddress = {ORIGIN}\n[Applications]\nSandbox = off\n")
        return load(config, {})

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[World]:
        present = Offered(self.loaded(), Catalog(), self.clock)
        async with composition.control(present, self.launcher, self.clock) as control:
            yield World(self, control)


@dataclass
class World:
    """A running control, and the people who use it. ``secrets`` are their keys by name; "" is nobody."""

    house: House
    control: Control
    secrets: dict[str, str] = field(default_factory=dict)

    async def people(self) -> None:
        roles = {"root": Role.administrator, "ada": Role.publisher, "bob": Role.publisher, "vic": Role.viewer}
        now = self.house.clock.now()
        async with transaction(self.control.tools.sessions) as session:
            for name, role in roles.items():
                made = await person(session, name, now, role)
                self.secrets[name] = (await keys.create(session, made.id, "test", now))[1]

    async def ask(
        self, method: str, path: str, name: str = "", content: bytes | None = None, **more: str
    ) -> httpx2.Response:
        headers = {header.replace("_", "-"): value for header, value in more.items()}
        if name:
            headers["Authorization"] = f"Key {self.secrets[name]}"
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.control.app), base_url=ORIGIN) as client:
            answer = await client.request(method, path, headers=headers, content=content)
        documented.check(method, path, answer.status_code, answer.headers.get("content-type", ""), answer.content)
        return answer

    async def get(self, path: str, name: str = "", **headers: str) -> httpx2.Response:
        return await self.ask("GET", path, name, **headers)

    async def api(self, method: str, path: str, body: object = None, name: str = "ada") -> Any:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = await self.ask(method, f"/__api__/v1/{path}", name, content)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def upload(self, guid: str, files: dict[str, str | bytes] | None = None, **manifest: Any) -> int:
        told = {"metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}} | manifest
        told.setdefault("python", {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "r.txt"}})
        return int((await self.api("POST", f"content/{guid}/bundles", bundle(files, **told)))["id"])

    async def deploy(self, guid: str, bundle_id: int, *, activate: bool = True, name: str = "ada") -> Any:
        """Deploy and wait for the task's end; return it."""
        asked = await self.api("POST", f"content/{guid}/deploy", {"bundle_id": bundle_id, "activate": activate}, name)
        return await self.finished(asked["task_id"], name)

    async def finished(self, task_id: str, name: str = "ada") -> Any:
        while not (await self.api("GET", f"tasks/{task_id}?first=1000000&wait=10", name=name))["finished"]:
            pass
        return await self.api("GET", f"tasks/{task_id}", name=name)

    async def item(self, access: str = "all", **fields: object) -> str:
        """Return the guid of a new item of ada's, with nothing in it."""
        return str((await self.api("POST", "content", {"access_type": access, **fields}))["guid"])

    async def published(self, access: str = "all", **fields: object) -> str:
        """Return the guid of an item that runs."""
        guid = await self.item(access, **fields)
        done = await self.deploy(guid, await self.upload(guid))
        assert done["code"] == 0, done
        return guid

    async def static(self, files: dict[str, str | bytes], access: str = "all", **metadata: str) -> str:
        """Return the guid of published files."""
        guid = await self.item(access)
        told = {"appmode": "static", "primary_html": "index.html", **metadata}
        done = await self.deploy(guid, await self.upload(guid, files, metadata=told))
        assert done["code"] == 0, done
        return guid

    async def document(self, access: str = "acl") -> str:
        """Return the guid of a notebook of ada's that was rendered once, as a worker would have stored it."""
        guid = await self.item(access, title="Weekly figures")
        bundle_id = await self.upload(guid, metadata={"appmode": "jupyter-static", "entrypoint": "report.ipynb"})
        now = self.house.clock.now()
        async with transaction(self.control.tools.sessions) as session:
            item = (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one()
            item.kind, item.live_bundle_id, item.deployed_at = "jupyter-static", bundle_id, now
            row = Rendering(
                item_id=item.id, bundle_id=bundle_id, path=f"renderings/{guid}/1", primary="index.html",
                rendered_at=now, duration_ms=1500,
            )  # fmt: skip
            await items.add_rendering(session, row, active=True)
        return guid

    async def jobs(self) -> dict[str, Job]:
        async with transaction(self.control.tools.reading) as session:
            return {job.key: job for job in (await session.execute(sa.select(Job))).scalars()}

    async def row(self, guid: str) -> Item:
        async with transaction(self.control.tools.reading) as session:
            return (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one()

    async def tasks(self) -> list[Task]:
        async with transaction(self.control.tools.reading) as session:
            return list((await session.execute(sa.select(Task).order_by(Task.created_at))).scalars())

    async def crashes(self, guid: str, code: int = 1, says: str = "") -> None:
        """End what runs of the item, and what is started in its place, until no other is started."""
        for _ in range(3):
            assert self.running(guid) or await self.control.visits.process(PoolKey(guid))
            for key in self.running(guid):
                self.house.launcher.crash(ProcessKey(key), code, says)
            await until(lambda: not self.running(guid))

    @staticmethod
    def pool(guid: str) -> PoolKey:
        return PoolKey(guid)

    def running(self, guid: str) -> list[str]:
        """Return the keys of the item's processes that take visitors."""
        pools, key = self.control.tools.pools, PoolKey(guid)
        return [member.key for member in pools.members(key)] if pools.defined(key) else []


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.002)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path) -> Any:
    made = House(tmp_path_factory.mktemp("c"), MovedClock())
    monkeypatch.setattr(composition, "installed", lambda *_: made.shelves)
    (made.folder / "run").mkdir()
    shutil.copy(sqlite_template, made.folder / "rostra.db")
    yield made
    made.launcher.close()


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    async with house.open() as opened:
        await opened.people()
        yield opened
