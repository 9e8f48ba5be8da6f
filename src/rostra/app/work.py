"""What the queue's workers do: deploys and the removal of runtime caches, each written to a job's log as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.services import Deploy
from rostra.app.visits import Visits
from rostra.content import bundles, items, job_records
from rostra.content.deploy import Order, Render, deploy
from rostra.content.paths import pool_key
from rostra.content.processes import Processes
from rostra.content.tables import Bundle, Item
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.store import Store
from rostra.execution.logs import LogFile
from rostra.ids import TaskId, new_key
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tasks import Tasks
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name

DEPLOY, DELETE_CACHE = "deploy", "delete-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkShop:
    """The handlers and the two functions that enqueue for them."""

    tools: Tools
    tasks: Tasks
    processes: Processes
    visits: Visits
    render: Render
    store: Store

    def handlers(self) -> Mapping[str, Callable[[Work, TaskLog], Any]]:
        return {DEPLOY: self._deploy, DELETE_CACHE: self._delete_cache}

    async def enqueue_deploy(self, session: AsyncSession, wanted: Deploy) -> TaskId:
        """Add the task, and the job record that shows it at once."""
        item = await items.get(session, wanted.guid)
        bundle = await bundles.get(session, item, wanted.bundle_id)
        now = self.tools.clock.now()
        if wanted.activate and not wanted.build_only:
            item.deployed_at = now
        rendered = by_name(bundle.kind).mode is Mode.rendered and not wanted.build_only
        tag = by_name(bundle.kind).job_tag if rendered else "python_restore"
        key = new_key()
        log = self.tools.places.log(item.guid, key).relative_to(self.tools.places.data_dir)
        await job_records.begin(session, item.id, tag, now, key=key, bundle_id=bundle.id, log=str(log))
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

    async def _deploy(self, work: Work, output: TaskLog) -> Mapping[str, Any] | None:
        told: Any = work.payload
        order = Order(
            guid=told["guid"],
            bundle_id=told["bundle_id"],
            activate=told["activate"],
            build_only=told["build_only"],
        )
        path = self.tools.places.log(order.guid, told["job"])
        path.parent.mkdir(parents=True, exist_ok=True)
        log = LogFile(path, self.tools.settings().applications.job_log_size)

        def say(text: str) -> None:
            output.say(text)
            log.feed("out", text.encode() + b"\n")

        code = 1
        try:
            await deploy(order, self.tools, self.processes, self.render, say)
            code = 0
        finally:
            log.close()
            async with transaction(self.tools.sessions) as session:
                await job_records.end(session, told["job"], self.tools.clock.now(), exit_code=code)
        await self.visits.item_changed(order.guid)
        return None

    async def _delete_cache(self, work: Work, output: TaskLog) -> Mapping[str, Any] | None:
        """Remove every environment of one interpreter version. What runs in one ends; the next visit makes it anew."""
        told: Any = work.payload
        for ready in self.store.list_ready():
            if str(ready.environment.runtime.version) != told["version"]:
                continue
            await self._end_processes_of(ready.environment.key, output)
            await self.store.remove(ready.environment.key)
            output.say(f"Removed environment {ready.environment.key}")
        return None

    async def _end_processes_of(self, environment_key: str, output: TaskLog) -> None:
        async with transaction(self.tools.reading) as session:
            wanted = sa.select(Item.guid, Bundle.id).join(Bundle, Bundle.item_id == Item.id)
            rows = (await session.execute(wanted.where(Bundle.environment_key == environment_key))).all()
        for guid, bundle_id in rows:
            for key in (pool_key(guid), pool_key(guid, bundle_id)):
                if self.tools.pools.defined(key):
                    await self.tools.pools.retire(key, drain_seconds=0)
                    output.say(f"Ended the processes of {key}")
