"""The API over ASGI with a real database, real disk and real tasks; only builds are played."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from cryptography.fernet import Fernet
from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.applications import Starlette
from starlette.routing import Mount

from rostra.api.app import build
from rostra.api.services import Deploy, Services
from rostra.auth import keys
from rostra.auth import sessions as browser_sessions
from rostra.auth.principals import Role
from rostra.auth.tables import User
from rostra.auth.throttle import Throttle
from rostra.config.sections import Settings
from rostra.content import bundles, items
from rostra.content.git_location import Location
from rostra.content.oauth_tokens import OAuthTokens
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item
from rostra.content.variables import Box
from rostra.db.engine import reading_factory, session_factory, transaction
from rostra.environments.record import Ready
from rostra.environments.spec import Environment, Package
from rostra.ids import TaskId
from rostra.jobs import output, queue
from rostra.jobs.queue import Outcome
from rostra.jobs.tasks import Tasks
from rostra.runtimes.model import Runtime, RuntimeState
from support import documented
from support.bundles import bundle as archive
from support.moments import NOON, MovedClock
from support.people import cheap_passwords, person

BASE = "http://rostra.test"
SECRET = bytes(range(32))


def runtime(version: str, state: RuntimeState = RuntimeState.active) -> Runtime:
    path = Path(f"/opt/python/{version}/bin/python3")
    return Runtime(version=Version(version), executable=path, target=path, state=state)


def environment(key: str = "abc", version: str = "3.11.7", lock: str = "flask==3.0.0\n") -> Environment:
    root = Path("/srv/environments") / key
    return Environment(
        key=key,
        runtime=runtime(version),
        python=root / "bin/python",
        root=root,
        lock=lock,
        packages=(Package("flask", "3.0.0"), Package("werkzeug", "3.0.1")),
    )


class Shelf:
    """Environments without a disk."""

    def __init__(self, *there: Environment) -> None:
        self.there = {one.key: one for one in there}

    def get(self, key: str) -> Environment | None:
        return self.there.get(key)

    def list_ready(self) -> list[Ready]:
        return [Ready(one, NOON, 1) for one in self.there.values()]

    async def remove(self, key: str) -> bool:
        return self.there.pop(key, None) is not None


class PlayedReports:
    """Tasks for renders and mails that nobody does."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks

    async def enqueue_render(
        self,
        session: AsyncSession,
        item: Item,
        variant: Any,
        user_id: int,
        *,
        activate: bool = True,
        quiet: bool = False,
    ) -> TaskId:
        payload = {"guid": item.guid, "variant_id": variant.id, "activate": activate, "quiet": quiet}
        return await self.tasks.enqueue(session, "render", payload, subject=item.guid, user_id=user_id)

    async def enqueue_send(self, session: AsyncSession, variant: Any, rendering: Any, to: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, "send-report", {"rendering": rendering.id, "to": to}, user_id=user_id)

    async def enqueue_test_mail(self, session: AsyncSession, to: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, "send-test-mail", {"to": to}, user_id=user_id)


class PlayedGit:
    """Adds the tasks and does nothing else."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks, self.available = tasks, True

    async def enqueue_deploy(self, session: AsyncSession, item: Item, user_id: int, *, activate: bool = True) -> TaskId:
        payload = {"guid": item.guid, "activate": activate}
        return await self.tasks.enqueue(session, "git-deploy", payload, subject=item.guid, user_id=user_id)

    async def enqueue_bundle(
        self, session: AsyncSession, item: Item, place: Location, ref: str, user_id: int
    ) -> tuple[int, TaskId]:
        made = await bundles.reserve(session, item, user_id, NOON)
        payload = {"place": [place.url, place.branch, place.directory], "ref": ref, "bundle_id": made.id}
        return made.id, await self.tasks.enqueue(session, "git-bundle", payload, subject=item.guid, user_id=user_id)

    async def enqueue_branches(self, session: AsyncSession, url: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, "git-branches", {"url": url}, user_id=user_id)

    async def enqueue_directories(self, session: AsyncSession, url: str, branch: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, "git-directories", {"url": url, "branch": branch}, user_id=user_id)


class Client:
    """One caller. Paths are below ``/__api__/``; ``cookies`` and headers are sent as they are given."""

    def __init__(self, app: Starlette, headers: dict[str, str], cookies: dict[str, str] | None = None) -> None:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        self.http = httpx2.AsyncClient(
            transport=transport, base_url=f"{BASE}/__api__/", headers=headers, cookies=cookies, follow_redirects=False
        )

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        if body is not None:
            more["content"] = body if isinstance(body, bytes) else json.dumps(body)
        answer = await self.http.request(method, path, **more)
        kind = answer.headers.get("content-type", "")
        documented.check(method, answer.request.url.path, answer.status_code, kind, answer.content)
        return answer

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        return await self.ask("POST", path, body, **more)

    async def made(self, path: str, body: Any = None) -> Any:
        """Post, expect success, return the JSON."""
        answer = await self.post(path, body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    async def read(self, path: str) -> Any:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class World:
    """A server's inside with people in it: the administrator root, the publishers ada and bob, the viewer vic."""

    live: Services
    app: Starlette
    clock: MovedClock
    shelf: Shelf
    changed: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    users: dict[str, User] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)

    def client(self, name: str | None = None, **headers: str) -> Client:
        """Return a caller with ``name``'s key, or with only the headers given."""
        if name is not None:
            headers["authorization"] = f"Key {self.keys[name]}"
        client = Client(self.app, headers)
        self.clients.append(client)
        return client

    async def browser(self, name: str, *, xsrf: bool = True) -> Client:
        """Return a caller that signed in with a browser."""
        async with transaction(self.live.sessions) as session:
            signed = await browser_sessions.begin(
                session, self.users[name].id, self.live.settings().authentication, self.clock.now()
            )
        cookies = {browser_sessions.COOKIE: signed.token, browser_sessions.XSRF_COOKIE: signed.xsrf}
        headers = {browser_sessions.XSRF_HEADER: signed.xsrf} if xsrf else {}
        client = Client(self.app, headers, cookies)
        self.clients.append(client)
        return client

    async def change(self, table: Any, **values: Any) -> None:
        async with transaction(self.live.sessions) as session:
            await session.execute(sa.update(table).values(**values))

    async def play(self, *lines: str, outcome: Outcome | None = None) -> None:
        """Do the oldest waiting task: say the lines, make its bundle live unless told otherwise."""
        async with transaction(self.live.sessions) as session:
            work = await queue.claim(session, worker="test/0", now=self.clock.now(), lease=dt.timedelta(minutes=1))
            assert work is not None
            await output.add_lines(session, work.id, 0, lines)
            if outcome is None and work.payload.get("activate") and not work.payload["build_only"]:
                row = await session.get(Bundle, work.payload["bundle_id"])
                item = await items.get(session, work.payload["guid"])
                assert row is not None
                row.runtime_version, row.environment_key, row.managed, row.state = "3.11.7", "abc", True, "built"
                await items.make_live(session, item.id, row, self.clock.now())
            await queue.finish(session, work, outcome or Outcome(), self.clock.now())
        self.live.tasks.bell.ring(work.id)


async def populate(world: World, engine: AsyncEngine) -> None:
    roles = {"root": Role.administrator, "ada": Role.publisher, "bob": Role.publisher, "vic": Role.viewer}
    async with transaction(session_factory(engine)) as session:
        for name, role in roles.items():
            world.users[name] = await person(session, name, NOON, role)
            world.keys[name] = (await keys.create(session, world.users[name].id, "test", NOON))[1]


@asynccontextmanager
async def world(engine: AsyncEngine, settings: Settings, **changes: Any) -> AsyncIterator[World]:
    """``changes`` replace fields of `Services`."""
    clock, shelf, box = MovedClock(), Shelf(environment()), Box([Fernet.generate_key()])
    writing, reading = session_factory(engine), reading_factory(engine)
    tasks = Tasks(writing, reading, clock)
    changed: list[str] = []
    stopped: list[str] = []

    async def enqueue_deploy(session: AsyncSession, order: Deploy) -> TaskId:
        payload = dataclasses.asdict(order)
        return await tasks.enqueue(session, "deploy", payload, subject=order.guid, user_id=order.user_id)

    async def enqueue_cache_removal(session: AsyncSession, language: str, version: str, user_id: int) -> TaskId:
        return await tasks.enqueue(session, "caches", {"version": version}, user_id=user_id)

    async def on_item_changed(guid: str) -> None:
        changed.append(guid)

    async def stop_job(key: str, _by: str) -> None:
        stopped.append(key)

    live = Services(
        **{
            "sessions": writing,
            "reading": reading,
            "settings": lambda: settings,
            "runtimes": lambda: (runtime("3.9.18"), runtime("3.11.7"), runtime("3.8.18", RuntimeState.retired)),
            "places": Places(settings.server.data_dir),
            "box": box,
            "clock": clock,
            "tasks": tasks,
            "passwords": cheap_passwords(),
            "tries": Throttle(clock),
            "environments": shelf,
            "bootstrap_secret": SECRET,
            "enqueue_deploy": enqueue_deploy,
            "enqueue_cache_removal": enqueue_cache_removal,
            "on_item_changed": on_item_changed,
            "on_credential_changed": lambda: changed.append("credentials"),
            "stop_job": stop_job,
            "reports": PlayedReports(tasks),
            "git": PlayedGit(tasks),
            "oauth": OAuthTokens(writing, reading, box, clock),
            **changes,
        }
    )
    app = Starlette(routes=[Mount("/__api__", build(live))])
    made = World(live, app, clock, shelf, changed, stopped)
    await populate(made, engine)
    yield made
    for client in made.clients:
        await client.http.aclose()


def bundle(kind: str = "python-fastapi", entrypoint: str = "app", **manifest_keys: Any) -> bytes:
    """Return a small honest bundle."""
    python = {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    told = {"metadata": {"appmode": kind, "entrypoint": entrypoint}, "python": python, **manifest_keys}
    return archive({"app.py": "app = 1\n", "requirements.txt": "flask\n"}, **told)


async def item_of(world: World, name: str = "ada", **fields: Any) -> Any:
    """Return new content of that person, as the API shows it."""
    return await world.client(name).made("v1/content", fields)


async def live_item(world: World, name: str = "ada", **fields: Any) -> Any:
    """Return content with one live bundle."""
    made = await item_of(world, name, **fields)
    client = world.client(name)
    uploaded = await client.made(f"v1/content/{made['guid']}/bundles", bundle())
    await client.made(f"v1/content/{made['guid']}/deploy", {"bundle_id": uploaded["id"]})
    await world.play("Building")
    return await client.read(f"v1/content/{made['guid']}")


async def row_of(world: World, guid: str) -> Item:
    async with transaction(world.live.reading) as session:
        return await items.get(session, guid)
