"""The composition of the control process: everything with a lifetime, opened in order, closed in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from rostra.api.app import build as build_api
from rostra.api.services import Services
from rostra.app.building import Building
from rostra.app.content_pages import ContentPages
from rostra.app.desk import Desk
from rostra.app.journal import Journal
from rostra.app.rendering import Renderer
from rostra.app.visits import Visits
from rostra.app.work import WorkShop
from rostra.auth import keys
from rostra.auth.bootstrap import secret_of
from rostra.auth.passwords import Passwords
from rostra.clock import Clock, SystemClock
from rostra.config.load import Loaded
from rostra.config.sections import Settings
from rostra.content import bundles, items, job_records, variables
from rostra.content.builds import Say
from rostra.content.places import Places
from rostra.content.processes import Processes
from rostra.content.tools import Tools
from rostra.db.engine import open_engine, reading_factory, session_factory, transaction
from rostra.db.schema import upgrade
from rostra.environments import index
from rostra.environments.overlay import Overlays
from rostra.environments.site import Tools as BuildTools
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.store import Store
from rostra.execution import accounts, host
from rostra.execution.keeper_client import KeeperLauncher
from rostra.execution.launcher import Launcher
from rostra.execution.pool import Pools, PoolSpec
from rostra.execution.shell import SandboxedShell
from rostra.ids import PoolKey, ProcessKey
from rostra.jobs.node import only_one
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Workers
from rostra.runtimes.catalog import Catalog, open_catalog
from rostra.runtimes.model import Runtime
from rostra.web.app import routes
from rostra.web.site import Site

log = structlog.get_logger()


@dataclass(slots=True)
class Present:
    """What a reload exchanges. Everything else is opened once."""

    loaded: Loaded
    probed: Catalog
    clock: Clock = field(default_factory=SystemClock)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @property
    def catalog(self) -> Catalog:
        """The interpreters with their states of this moment: a date in the settings may have come."""
        return self.probed.at(self.clock.now())

    def runtimes(self) -> Sequence[Runtime]:
        return self.catalog.runtimes


@dataclass(frozen=True, slots=True)
class Installed:
    """Environments and overlays as `content.builds` wants them."""

    store: Store
    overlays: Overlays

    async def ensure(self, spec: EnvironmentSpec, say: Say) -> Environment:
        return await self.store.ensure(spec, say)

    async def overlay(self, runtime: Runtime, say: Say) -> Path:
        return await self.overlays.ensure_overlay(runtime, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A running control process, for whoever serves it."""

    present: Present
    tools: Tools
    visits: Visits
    shop: WorkShop
    passwords: Passwords
    app: Starlette


async def read_catalog(loaded: Loaded) -> Catalog:
    """Probe the configured interpreters; what is known of unchanged ones is remembered in the data folder."""
    memory = loaded.settings.server.data_dir / "cache" / "interpreters.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    return await open_catalog(loaded.settings.python, memory=memory, sources=loaded.sources)


@asynccontextmanager
async def control(loaded: Loaded, launcher: Launcher | None = None) -> AsyncIterator[Control]:
    """Open everything, put right what the last run left, and work until the block is left.

    Args:
        launcher: where processes run; the keeper of this data folder when None.
    """
    settings, clock = loaded.settings, SystemClock()
    places = Places(settings.server.data_dir)
    present = Present(loaded, await read_catalog(loaded))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(only_one(places.run_dir / "control.lock"))
        engine = open_engine(settings)
        stack.push_async_callback(engine.dispose)
        for step in await upgrade(engine):
            log.info("database brought up to date", revision=step)
        sessions, reading = session_factory(engine), reading_factory(engine)
        user = accounts.choose(settings.applications.run_as)
        facts, groups = await asyncio.to_thread(host.discover, settings.applications.sandbox)
        installed = _installed(settings, Building(SandboxedShell(facts, user, groups)))
        if launcher is None:
            launcher = await stack.enter_async_context(KeeperLauncher(places.run_dir / "keeper.sock"))
        journal = Journal(sessions, places, clock)
        pools = Pools(
            launcher, clock=clock, on_change=journal.changed, on_started=journal.started, on_ended=journal.ended
        )
        tools = Tools(
            sessions=sessions,
            reading=reading,
            settings=lambda: present.settings,
            runtimes=present.runtimes,
            places=places,
            environments=installed,
            pools=pools,
            box=variables.open_box(places.secrets / "variables.key"),
            clock=clock,
            user=user,
        )
        processes = Processes(tools)
        visits = Visits(tools, processes)
        journal.listener = visits.pool_changed
        tasks = Tasks(sessions, reading, clock)
        shop = WorkShop(
            tools=tools,
            tasks=tasks,
            processes=processes,
            visits=visits,
            render=Renderer(tools, facts),
            store=installed.store,
        )
        await _reconcile_disk(tools, installed)
        await stack.enter_async_context(pools)
        await _reconcile_processes(tools, processes, launcher)
        await visits.read_vanities()
        passwords = Passwords()
        desk = Desk(
            site=site(settings),
            clock=clock,
            shop=shop,
            passwords=passwords,
            catalog=lambda: present.catalog,
            on_sign_out=visits.credential_changed,
        )
        services = _services(present, tools, shop, passwords, installed.store)
        app = _app(services, desk, ContentPages(tools, processes, visits, desk.site))
        workers = Workers(tasks, shop.handlers(), node=str(places.data_dir), count=4)
        await stack.enter_async_context(_beside(workers))
        await stack.enter_async_context(visits.socket.serve(places.run_dir / "decide.sock"))
        yield Control(present=present, tools=tools, visits=visits, shop=shop, passwords=passwords, app=app)


def site(settings: Settings) -> Site:
    prefix = urlsplit(settings.server.address).path.rstrip("/")
    return Site(name=settings.server.system_display_name, prefix=prefix, dashboard=settings.server.dashboard_path)


def _installed(settings: Settings, shell: Building) -> Installed:
    python = settings.python
    machine = index.of_machine(os.environ, home=Path.home())
    tools = BuildTools(
        shell=shell,
        data_dir=settings.server.data_dir,
        index=index.configured(python.index_url, python.extra_index_url, machine),
        build_timeout=python.build_timeout,
    )
    store = Store(tools, installer=python.package_installer, build_concurrency=python.build_concurrency)
    return Installed(store, Overlays(tools))


def _services(present: Present, tools: Tools, shop: WorkShop, passwords: Passwords, store: Store) -> Services:
    visits, pools = shop.visits, tools.pools

    async def item_changed(guid: str) -> None:
        await shop.processes.refresh(guid)
        await visits.item_changed(guid)
        for line in await items.purge(tools.sessions, tools.places):
            log.info(line)

    async def stop_job(key: str) -> None:
        await pools.end(ProcessKey(key))

    return Services(
        sessions=tools.sessions,
        reading=tools.reading,
        settings=tools.settings,
        runtimes=tools.runtimes,
        places=tools.places,
        box=tools.box,
        clock=tools.clock,
        tasks=shop.tasks,
        passwords=passwords,
        environments=store,
        bootstrap_secret=secret_of(present.settings.bootstrap),
        enqueue_deploy=shop.enqueue_deploy,
        enqueue_cache_removal=shop.enqueue_cache_removal,
        on_item_changed=item_changed,
        on_credential_changed=visits.credential_changed,
        stop_job=stop_job,
    )


def _app(services: Services, desk: Desk, pages: ContentPages) -> Starlette:
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(
        routes=[
            Mount("/__api__", build_api(services)),
            *routes(desk),
            Route("/{path:path}", pages.answer, methods=every),
        ]
    )
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def _beside(workers: Workers) -> AsyncIterator[None]:
    task = asyncio.create_task(workers.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reconcile_disk(tools: Tools, installed: Installed) -> None:
    """Put right what a crash left on disk, saying what was done."""
    async with transaction(tools.sessions) as session:
        done = await bundles.reconcile(session, tools.places)
    done += await items.purge(tools.sessions, tools.places)
    done += await installed.store.reconcile()
    done += await installed.overlays.store.reconcile()
    for line in done:
        log.info(line)


async def _reconcile_processes(tools: Tools, processes: Processes, launcher: Launcher) -> None:
    """Take over what the keeper still runs, end what belongs to nothing, and complete the records of what ended."""

    async def spec_of(key: PoolKey) -> PoolSpec | None:
        return tools.pools.defined(key) if await processes.define(key) else None

    taken, ended = await tools.pools.reconcile(spec_of)
    if taken or ended:
        log.info("processes of the last run", taken_over=taken, ended=ended)
    running = [process.key for process in await launcher.running()]
    async with transaction(tools.sessions) as session:
        await keys.revoke_for_processes_other_than(session, running)
        await job_records.reconcile(session, running, tools.clock.now())
