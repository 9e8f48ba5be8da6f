"""Rehearsals in the server, and aside from it with nothing else running: the same bench, composed twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from rostra.app.building import Building
from rostra.app.installed import installed
from rostra.app.job_log import JobLog
from rostra.app.present import Present, memory, read_catalog
from rostra.app.rendering import Renderer
from rostra.app.work import WorkShop
from rostra.clock import SystemClock
from rostra.config.load import Loaded
from rostra.content import bundles, items, job_records, variables
from rostra.content.deploy import Order, deploy
from rostra.content.places import Places
from rostra.content.tools import Tools
from rostra.db.engine import open_engine, reading_factory, session_factory, transaction
from rostra.db.schema import upgrade
from rostra.execution import accounts, host
from rostra.execution.local import LocalLauncher
from rostra.execution.pool import Pools
from rostra.execution.shell import SandboxedShell
from rostra.ids import new_key
from rostra.jobs.node import AnotherServerRuns, only_one
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.worker import Handler
from rostra.kinds.registry import by_name
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.tasks import MOVE, REHEARSE, rehearsing


def handlers(shop: WorkShop, renderer: Renderer) -> Mapping[str, Handler]:
    """Return what the server's workers do for rehearsals."""
    bench = Bench(tools=shop.tools, store=shop.store, render=renderer.aside)
    return {REHEARSE: rehearsing(bench), MOVE: _moving(shop)}


def _moving(shop: WorkShop) -> Handler:
    async def move(work: Work, output: TaskLog) -> None:
        """Move one item that was found safe, by an ordinary deploy: proven before anybody sees it."""
        told: Any = work.payload
        tools = shop.tools
        async with transaction(tools.sessions) as session:
            item = await items.get(session, told["guid"])
            bundle = await bundles.get(session, item, told["bundle_id"])
            current = item.live_bundle_id == bundle.id and bundle.runtime_version == told["from"]
            if current:
                key, tag = new_key(), by_name(bundle.kind).job_tag
                log = tools.places.log(item.guid, key).relative_to(tools.places.data_dir)
                now = tools.clock.now()
                await job_records.begin(session, item.id, tag, now, key=key, bundle_id=bundle.id, log=str(log))
        if not current:
            output.say("It was published or moved since it was rehearsed; nothing is done")
            return
        order = Order(guid=item.guid, bundle_id=bundle.id, onto=told["to"], pins=tuple(told["pins"]))
        async with JobLog(tools, item.guid, key, output) as job:
            await deploy(order, tools, shop.processes, shop.render, job.say)
        await shop.changes.of_item(item.guid)

    return move


@asynccontextmanager
async def standalone(loaded: Loaded) -> AsyncIterator[Bench]:
    """Open a data folder without serving it.

    When a server works on it, that server is the only one that may build there: the bench says so.
    """
    settings, clock = loaded.settings, SystemClock()
    places = Places(settings.server.data_dir)
    places.run_dir.mkdir(parents=True, exist_ok=True)
    present = Present(loaded, await read_catalog(loaded, memory(settings)))
    async with AsyncExitStack() as stack:
        may_build = await _alone(stack, places)
        engine = open_engine(settings)
        stack.push_async_callback(engine.dispose)
        await upgrade(engine)
        facts, groups = await asyncio.to_thread(host.discover, settings.applications.sandbox)
        user = accounts.choose(settings.applications.run_as)
        environments = installed(settings, Building(SandboxedShell(facts, user, groups)))
        launcher = await stack.enter_async_context(LocalLauncher(facts, groups))
        pools = await stack.enter_async_context(Pools(launcher, clock=clock))
        if may_build:
            await environments.reconcile()
        tools = Tools(
            sessions=session_factory(engine),
            reading=reading_factory(engine),
            settings=lambda: present.settings,
            runtimes=present.runtimes,
            places=places,
            environments=environments,
            pools=pools,
            box=variables.open_box(places.secrets / "variables.key"),
            clock=clock,
            user=user,
        )
        yield Bench(tools=tools, store=environments.store, render=Renderer(tools, facts).aside, may_build=may_build)


async def _alone(stack: AsyncExitStack, places: Places) -> bool:
    with contextlib.suppress(AnotherServerRuns):
        await stack.enter_async_context(only_one(places.run_dir / "control.lock", wait_seconds=0))
        return True
    return False
