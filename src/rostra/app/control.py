"""The composition of the control process: everything with a lifetime, opened in order, closed in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from rostra.api.app import build as build_api
from rostra.app import reconciling, rehearsing, reloaded
from rostra.app.building import Building
from rostra.app.changes import Changes
from rostra.app.clockwork import Clockwork
from rostra.app.content_pages import ContentPages
from rostra.app.desk import Desk
from rostra.app.desk_rows import Rows
from rostra.app.doing import Doing, Noted
from rostra.app.environment_work import EnvironmentWork
from rostra.app.git_polling import GitPolling
from rostra.app.git_work import GitWork, open_git
from rostra.app.inner_api import InnerApi
from rostra.app.installed import Installed, installed
from rostra.app.journal import Journal
from rostra.app.ledger import Ledger
from rostra.app.oauth_pages import OAuthPages
from rostra.app.present import Present
from rostra.app.prometheus import Metrics
from rostra.app.rendering import Renderer
from rostra.app.reports import Reports
from rostra.app.routing import build, services, site
from rostra.app.sampling import Sampling
from rostra.app.upkeep import Upkeep
from rostra.app.uses import Uses
from rostra.app.visits import Visits
from rostra.app.work import WorkShop
from rostra.auth.passwords import Passwords
from rostra.clock import Clock, SystemClock
from rostra.config.load import Loaded
from rostra.config.sections import Settings
from rostra.content import usage_sessions, variables
from rostra.content.git import Git
from rostra.content.oauth_tokens import OAuthTokens
from rostra.content.places import Places
from rostra.content.processes import Processes
from rostra.content.tools import Tools
from rostra.content.usage import Collected
from rostra.db.engine import open_engine, reading_factory, session_factory
from rostra.db.schema import upgrade
from rostra.execution import accounts, host
from rostra.execution.keeper_client import KeeperLauncher
from rostra.execution.launcher import Launcher
from rostra.execution.pool import Pools
from rostra.execution.shell import SandboxedShell
from rostra.jobs.node import only_one
from rostra.jobs.queue import Limits
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Workers
from rostra.mail.postman import Postman
from rostra.rendering.ready_kernels import Budget, ReadyKernels
from rostra.rendering.renderers import WarmRenderers

log = structlog.get_logger()

WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A running control process, for whoever serves it."""

    present: Present
    tools: Tools
    visits: Visits
    uses: Uses
    upkeep: Upkeep
    shop: WorkShop
    reports: Reports
    git: GitWork
    desk: Desk
    app: Starlette

    async def reload(self, read: Callable[[], Loaded]) -> None:
        """Take over the configuration, and let what runs follow it. One that would be refused changes nothing.

        What came of it is kept for ``rostra reload`` once all of that is so.
        """
        began = time.monotonic()
        told = await self.present.reload(read)
        if not told.refused:
            await self.shop.changes.renderer.end_ready()  # what they were made for may not be so any more
            await self.upkeep.follow()
        try:
            reloaded.keep(self.tools.places.run_dir, began, told)
        except OSError as why:  # a full disk must not end the server; whoever asked is told to look here
            log.warning("what came of the reload could not be written down", why=str(why))


@asynccontextmanager
async def control(
    present: Present, launcher: Launcher | None = None, clock: Clock | None = None
) -> AsyncIterator[Control]:
    """Open everything, put right what the last run left, and work until the block is left.

    Args:
        launcher: where processes run; the keeper of this data folder when None.
    """
    settings, clock = present.settings, clock or SystemClock()
    places = Places(settings.server.data_dir)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(only_one(places.run_dir / "control.lock"))
        engine = await _database(stack, present)
        if launcher is None:
            launcher = await stack.enter_async_context(KeeperLauncher(places.run_dir / "keeper.sock"))
        facts, groups = await asyncio.to_thread(host.discover, settings.applications.sandbox)
        reconciling.close_folders(places, sandboxed=facts.bwrap is not None)
        reconciling.kernels_folder(places)
        user = accounts.choose(settings.applications.run_as)
        builds = reconciling.builds_folder(places)
        shell = Building(SandboxedShell(facts, user, groups, builds))
        ledger = Ledger(session_factory(engine), places.data_dir, clock)
        environments = installed(settings, shell, ledger)
        journal = Journal(session_factory(engine), places, clock)
        tools = Tools(
            sessions=session_factory(engine),
            reading=reading_factory(engine),
            settings=lambda: present.settings,
            runtimes=present.runtimes,
            places=places,
            environments=environments,
            pools=_pools(launcher, clock, journal),
            box=variables.open_box(places.secrets / "variables.key"),
            clock=clock,
            user=user,
            beside=present.beside,
        )
        warm = await stack.enter_async_context(WarmRenderers(lambda: present.settings.applications.warm_rendering))
        ready = await stack.enter_async_context(ReadyKernels(warm, lambda: _budget(present.settings)))
        doing = Doing(tools)
        renderer = Renderer(tools, facts, Noted(warm, doing), doing, ready)
        git = await open_git(tools.settings, shell, builds)
        running = _composed(present, tools, environments, renderer, launcher=launcher, git=git)
        journal.listener = running.visits.pool_changed
        await reconciling.disk_state(tools, environments)
        await stack.enter_async_context(tools.pools)
        await reconciling.processes(tools, running.shop.processes, launcher)
        await running.visits.read_vanities()
        await running.upkeep.follow()
        await stack.enter_async_context(running.uses.kept())
        await stack.enter_async_context(running.upkeep.kept())
        ahead = EnvironmentWork(tools=tools, environments=environments, ledger=ledger, launcher=launcher)
        handlers = {**running.shop.handlers(), **rehearsing.handlers(running.shop, renderer), **ahead.handlers()}
        handlers |= {**running.reports.handlers(), **running.git.handlers()}

        def limits() -> Limits:
            return {**running.reports.limits(), **running.git.limits()}

        workers = Workers(running.shop.tasks, handlers, node=str(places.data_dir), count=WORKERS, limits=limits)
        await stack.enter_async_context(
            _beside(workers, Clockwork(running.reports), running.reports.postman, GitPolling(running.git))
        )
        await stack.enter_async_context(running.visits.socket.serve(places.run_dir / "decide.sock"))
        yield running


async def _database(stack: AsyncExitStack, present: Present) -> AsyncEngine:
    engine = open_engine(present.settings)
    stack.push_async_callback(engine.dispose)
    for step in await upgrade(engine):
        log.info("database brought up to date", revision=step)
    return engine


def _budget(settings: Settings) -> Budget:
    applications = settings.applications
    memory = applications.warm_kernel_memory if applications.warm_rendering else 0
    return Budget(memory, applications.warm_kernel_idle.total_seconds())


def _pools(launcher: Launcher, clock: Clock, journal: Journal) -> Pools:
    return Pools(launcher, clock=clock, on_change=journal.changed, on_started=journal.started, on_ended=journal.ended)


def _composed(
    present: Present, tools: Tools, environments: Installed, renderer: Renderer, *, launcher: Launcher, git: Git | None
) -> Control:
    """Wire what has no lifetime of its own."""
    processes = Processes(tools)
    uses = Uses(tools.sessions, tools.clock)
    collected = Collected(tools.sessions)
    attended = usage_sessions.Collected(tools.sessions)
    visits = Visits(tools, processes, uses, collected.add, attended.add)
    tasks = Tasks(tools.sessions, tools.reading, tools.clock)
    shop = WorkShop(
        tools=tools,
        tasks=tasks,
        processes=processes,
        changes=Changes(tools, tasks, processes, visits, renderer),
        render=renderer,
        store=environments.store,
    )
    postman = Postman(tools.sessions, tools.reading, tools.settings, tools.clock)
    reports = Reports(tools=tools, tasks=tasks, render=renderer, postman=postman)
    from_git = GitWork(tools=tools, tasks=tasks, shop=shop, postman=postman, git=git)
    sampling = Sampling(tools, launcher, renderer.doing)
    passwords = Passwords()
    oauth = OAuthTokens(tools.sessions, tools.reading, tools.box, tools.clock)
    given = services(present.settings, shop, passwords, reports, sampling=sampling, git=from_git, oauth=oauth)
    api = build_api(given)
    desk = Desk(
        tools=tools,
        passwords=passwords,
        uses=uses,
        on_credential_changed=shop.changes.of_credential,
        shop=shop,
        api=InnerApi(api),
        rows=Rows(tools, site(present.settings)),
        present=present,
    )
    pages = ContentPages(tools, processes, visits, desk.site, uses, collected.add)
    app = build(api, desk, pages, OAuthPages(desk, oauth), Metrics(tools, sampling))
    upkeep = Upkeep(tools, processes, visits, collected, attended, sampling)
    return Control(
        present=present,
        tools=tools,
        visits=visits,
        uses=uses,
        upkeep=upkeep,
        shop=shop,
        reports=reports,
        git=from_git,
        desk=desk,
        app=app,
    )


@asynccontextmanager
async def _beside(*workers: Workers | Clockwork | Postman | GitPolling) -> AsyncIterator[None]:
    """Work while the block runs. Workers that fail end it: a server that takes orders and does none is of no use."""
    async with asyncio.TaskGroup() as group:
        working = [group.create_task(each.run()) for each in workers]
        yield
        for task in working:
            task.cancel()
