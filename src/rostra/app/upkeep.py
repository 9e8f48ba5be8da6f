"""What has to be looked after while the server runs: visits to write, states that turn, environments nobody needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from rostra.app.environment_work import REAP, enqueue_reap, enqueue_rebuild
from rostra.app.sampling import LOOK_SECONDS, Sampling
from rostra.app.visits import Visits
from rostra.content import job_samples, usage, usage_sessions
from rostra.content.beside import ProgramGone
from rostra.content.builds import RuntimeGone
from rostra.content.paths import split_pool
from rostra.content.processes import Processes
from rostra.content.tables import Bundle, Item
from rostra.content.tools import Tools
from rostra.content.usage import Collected
from rostra.db.engine import transaction
from rostra.ids import PoolKey
from rostra.jobs.tables import Task
from rostra.rendering import ad_hoc, retention

log = structlog.get_logger()

WRITE_SECONDS = 1.0
FOLLOW_SECONDS = 60.0
TIDY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One for each control process. Use ``kept`` as the block everything else runs in."""

    tools: Tools
    processes: Processes
    visits: Visits
    collected: Collected
    attended: usage_sessions.Collected
    sampling: Sampling
    moving: set[str] = field(default_factory=set)  # versions that another release takes the place of

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look after everything while the block runs; write what is left of the visits at its end."""
        async with asyncio.TaskGroup() as group:
            always = (
                group.create_task(_every(WRITE_SECONDS, self.write)),
                group.create_task(_every(FOLLOW_SECONDS, self.follow)),
                group.create_task(_every(FOLLOW_SECONDS, self.end_silent)),
                group.create_task(_every(LOOK_SECONDS, self.sampling.record)),
                group.create_task(_every(TIDY_SECONDS, self.tidy)),
            )
            yield
            for task in always:
                task.cancel()
        await self.write()

    async def write(self) -> None:
        """Write the visits collected since the last time."""
        try:
            await self.collected.write()
            await self.attended.write(self.tools.clock.now())
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
            log.warning("visits are not written yet; trying again", why=str(why.orig))

    async def follow(self) -> None:
        """Let what runs follow the interpreters there are: after a reload, and when a day has come.

        Processes whose Python or R may not be used any more end, and what failed for want of one that is back may
        start.
        What runs on a release that another takes the place of goes on until that one's environment is ready.
        """
        pools = self.tools.pools
        outdated: set[str] = set()
        for key, bundle in (await self._bundles(list(pools.announcements()))).items():
            if pools.defined(key) and pools.members(key) and self.processes.outdated(bundle):
                outdated.add(bundle.runtime_version or "")
            if lost := await self.processes.lost(bundle):
                needed = f"{lost.language} {lost.version}"
                log.info("content ends: what it runs on is not used any more", pool=key, program=needed)
                await pools.retire(key, drain_seconds=0)
                await self.visits.item_changed(split_pool(key)[0])
            elif pools.defined(key) and isinstance(pools.condition(key)[1], RuntimeGone | ProgramGone):
                await pools.restart(key)
                await self.visits.item_changed(split_pool(key)[0])
        for version in sorted(outdated - self.moving):
            self.moving.add(version)  # once: what cannot be built is built again when it is visited
            async with transaction(self.tools.sessions) as session:
                await enqueue_rebuild(session, version, 1, self.tools.clock.now())

    async def end_silent(self) -> None:
        """End the sessions of visitors whose gateway is gone."""
        async with transaction(self.tools.sessions) as session:
            await usage_sessions.end_silent(session, self.tools.clock.now())

    async def tidy(self) -> None:
        """Forget old visits, and begin to remove environments nobody needs when the settings say so."""
        applications, now = self.tools.settings().applications, self.tools.clock.now()
        async with transaction(self.tools.sessions) as session:
            await usage.prune(session, now)
            await usage_sessions.prune(session, now)
            await job_samples.prune(session, now)
            old_looks = await ad_hoc.expire(session, now - applications.ad_hoc_report_age)
            waiting = sa.select(Task.id).where(Task.kind == REAP, Task.finished_at.is_(None)).limit(1)
            if applications.python_environment_reaping and (await session.execute(waiting)).first() is None:
                await enqueue_reap(session, applications.python_environment_reaping_age, now)
        await retention.remove(self.tools.places.data_dir, old_looks)

    async def _bundles(self, keys: list[PoolKey]) -> dict[PoolKey, Bundle]:
        """Return what each pool runs, in two queries."""
        drafts = {key: draft for key in keys if (draft := split_pool(key)[1]) is not None}
        live = {split_pool(key)[0]: key for key in keys if key not in drafts}
        found: dict[PoolKey, Bundle] = {}
        async with transaction(self.tools.reading) as session:
            of_items = sa.select(Item.guid, Bundle).join(Bundle, Bundle.id == Item.live_bundle_id)
            for guid, bundle in (await session.execute(of_items.where(Item.guid.in_(list(live))))).all():
                found[live[guid]] = bundle
            rows = (await session.execute(sa.select(Bundle).where(Bundle.id.in_(list(drafts.values()))))).scalars()
            by_id = {bundle.id: bundle for bundle in rows}
        return found | {key: by_id[draft] for key, draft in drafts.items() if draft in by_id}


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:
            log.exception("upkeep failed; it is tried again", what=getattr(work, "__name__", ""))
