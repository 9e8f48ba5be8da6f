"""What the queue's workers do: deploys, the removal of runtime caches, and of what was deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.services import Deploy
from rostra.app.changes import PURGE, Changes
from rostra.app.job_log import JobLog
from rostra.content import bundles, items, job_records
from rostra.content.deploy import Order, Render, deploy
from rostra.content.paths import pool_key
from rostra.content.processes import Processes
from rostra.content.tables import Bundle, Item, Job
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.store import Store
from rostra.ids import ProcessKey, TaskId, new_key
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Handler
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name

DEPLOY, DELETE_CACHE = "deploy", "delete-cache"
LAST_GRACE_SECONDS = 1.0  # for processes of what was deleted: nobody can read what they would still write


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkShop:
    """The handlers, each safe to repeat from the start, and the functions that enqueue for them."""

    tools: Tools
    tasks: Tasks
    processes: Processes
    changes: Changes
    render: Render
    store: Store

    def handlers(self) -> Mapping[str, Handler]:
        return {DEPLOY: self._deploy, DELETE_CACHE: self._delete_cache, PURGE: self._purge}

    async def enqueue_deploy(self, session: AsyncSession, wanted: Deploy) -> TaskId:
        """Add the task, and the job record that shows it at once."""
        item = await items.get(session, wanted.guid)
        bundle = await bundles.get(session, item, wanted.bundle_id)
        if wanted.activate and not wanted.build_only:
            item.deployed_at = self.tools.clock.now()
        key = await self._begin_job(session, item, bundle, wanted)
        payload = {
            "guid": item.guid,
            "bundle_id": bundle.id,
            "activate": wanted.activate,
            "build_only": wanted.build_only,
            "job": key,
        }
        return await self.tasks.enqueue(session, DEPLOY, payload, subject=item.guid, user_id=wanted.user_id)

    async def enqueue_cache_removal(self, session: AsyncSession, language: str, version: str, user_id: int) -> TaskId:
        payload = {"language": language, "version": version}
        return await self.tasks.enqueue(session, DELETE_CACHE, payload, subject="environments", user_id=user_id)

    async def _deploy(self, work: Work, output: TaskLog) -> None:
        told: Any = work.payload
        order = Order(
            guid=told["guid"],
            bundle_id=told["bundle_id"],
            activate=told["activate"],
            build_only=told["build_only"],
        )
        async with transaction(self.tools.reading) as session:
            await items.get(session, order.guid)  # of a deleted item not even a log is begun
        async with JobLog(self.tools, order.guid, told["job"], output) as log:
            await deploy(order, self.tools, self.processes, self.render, log.say)
        await self.changes.of_item(order.guid)

    async def deploy_now(self, order: Order, output: TaskLog) -> None:
        """Deploy within a task that has done something else before, with a job record of its own."""
        wanted = Deploy(guid=order.guid, bundle_id=order.bundle_id, activate=order.activate, user_id=0)
        async with transaction(self.tools.sessions) as session:
            item = await items.get(session, order.guid)
            bundle = await bundles.get(session, item, order.bundle_id)
            if order.activate:
                item.deployed_at = self.tools.clock.now()
            key = await self._begin_job(session, item, bundle, wanted)
        async with JobLog(self.tools, order.guid, key, output) as log:
            await deploy(order, self.tools, self.processes, self.render, log.say)
        await self.changes.of_item(order.guid)

    async def _begin_job(self, session: AsyncSession, item: Item, bundle: Bundle, wanted: Deploy) -> str:
        key = new_key()
        log = self.tools.places.log(item.guid, key).relative_to(self.tools.places.data_dir)
        tag, now = job_tag(bundle, wanted), self.tools.clock.now()
        await job_records.begin(session, item.id, tag, now, key=key, bundle_id=bundle.id, log=str(log))
        return key

    async def _delete_cache(self, work: Work, output: TaskLog) -> None:
        """Remove every environment of one interpreter version. What runs in one ends; the next visit makes it anew."""
        told: Any = work.payload
        for ready in self.store.list_ready():
            if str(ready.environment.runtime.version) != told["version"]:
                continue
            await self._end_processes_in(ready.environment.key, output)
            await self.store.remove(ready.environment.key)
            output.say(f"Removed environment {ready.environment.key}")

    async def _end_processes_in(self, environment_key: str, output: TaskLog) -> None:
        async with transaction(self.tools.reading) as session:
            wanted = sa.select(Item.guid, Bundle.id).join(Bundle, Bundle.item_id == Item.id)
            rows = (await session.execute(wanted.where(Bundle.environment_key == environment_key))).all()
            jobs = sa.select(Job.key).join(Bundle, Bundle.id == Job.bundle_id).where(Job.ended_at.is_(None))
            running = (await session.execute(jobs.where(Bundle.environment_key == environment_key))).scalars().all()
        for guid, bundle_id in rows:
            for key in (pool_key(guid), pool_key(guid, bundle_id)):
                if self.tools.pools.defined(key):
                    await self.tools.pools.retire(key, drain_seconds=0)
                    output.say(f"Ended the processes of {key}")
            await self.changes.renderer.end_ready(guid)
        await self._end(running)

    async def _purge(self, work: Work, output: TaskLog) -> None:
        """Remove a deleted item: its processes, also those that drain, then its files and its row."""
        told: Any = work.payload
        guid = told["guid"]
        async with transaction(self.tools.reading) as session:
            jobs = sa.select(Job.key).join(Item, Item.id == Job.item_id)
            wanted = jobs.where(Item.guid == guid, Item.deleted_at.is_not(None), Job.ended_at.is_(None))
            running = (await session.execute(wanted)).scalars().all()
        await self._end(running)
        await self.changes.renderer.end_ready(guid)
        for line in await items.purge(self.tools.sessions, self.tools.places, only=guid):
            output.say(line)

    async def _end(self, keys: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self.tools.pools.end(ProcessKey(key), grace_seconds=LAST_GRACE_SECONDS))


def job_tag(bundle: Bundle, wanted: Deploy) -> str:
    """Return what a deploy's job is called on the wire: its rendering, or else its build."""
    kind = by_name(bundle.kind)
    return kind.job_tag if kind.mode is Mode.rendered and not wanted.build_only else "python_restore"
