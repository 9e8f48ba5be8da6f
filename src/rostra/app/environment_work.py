"""Work on environments done ahead of time: building what is missing, and removing what nobody needs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import anyio
import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app.installed import Installed
from rostra.app.ledger import Ledger, running_in
from rostra.config.values import version_range
from rostra.content import builds, bundles, manifest, unpack
from rostra.content.builds import RuntimeGone
from rostra.content.paths import pool_key
from rostra.content.rebuild import rebuild
from rostra.content.tables import Bundle, Item
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.cleanup import LEAST_UNUSED, Standing
from rostra.environments.inventory import Sort, weigh
from rostra.environments.store import Store
from rostra.errors import Problem, Unavailable
from rostra.execution.launcher import Launcher
from rostra.ids import TaskId
from rostra.jobs import queue
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.worker import Handler
from rostra.kinds.registry import by_name
from rostra.units import counted, human_duration, human_size

REBUILD, REAP = "rebuild-environments", "reap-environments"
MOST_PARALLEL = 8


class Outcome(StrEnum):
    ready = "ready"  # it was there
    built = "built"
    failed = "failed"
    gone = "gone"  # its interpreter is not on this server any more


class SomeNotBuilt(Unavailable):
    """``counts`` says how many items came to each end."""

    code = "some-not-built"

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        bad = counts[Outcome.failed] + counts[Outcome.gone]
        super().__init__(
            f"{bad} of {sum(counts.values())} items have no environment",
            hint="The lines above say why for each; the others are ready.",
        )


async def enqueue_rebuild(
    session: AsyncSession, python: str, parallel: int, now: dt.datetime, user_id: int | None = None
) -> TaskId:
    """Add the task that builds what is missing for live content on ``python`` (a version or range, empty: any).

    It can be begun again at any point: what is ready is found ready.
    """
    payload = {"python": python, "parallel": max(1, min(parallel, MOST_PARALLEL))}
    return await queue.enqueue(session, REBUILD, payload, now, subject=REBUILD, user_id=user_id)


async def enqueue_reap(
    session: AsyncSession,
    unused_for: dt.timedelta,
    now: dt.datetime,
    *,
    dry_run: bool = False,
    user_id: int | None = None,
) -> TaskId:
    """Add the task that removes environments nobody needs."""
    payload = {"unused_for": unused_for.total_seconds(), "dry_run": dry_run}
    return await queue.enqueue(session, REAP, payload, now, subject=REAP, user_id=user_id)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One item whose environment is to be made ready. Rows are detached."""

    item: Item
    bundle: Bundle


@dataclass(slots=True)
class _Progress:
    """Counts what has been done, and says so."""

    total: int
    output: TaskLog
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))

    def tell(self, wanted: _Wanted, outcome: Outcome, why: str = "") -> None:
        self.counts[outcome] += 1
        done = sum(self.counts.values())
        title = wanted.item.title or wanted.item.name
        self.output.say(
            f"[{done}/{self.total}] {title} ({wanted.item.guid}): {outcome.value}{': ' + why if why else ''}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentWork:
    """The handlers. Both are safe to repeat from the start."""

    tools: Tools
    environments: Installed
    ledger: Ledger
    launcher: Launcher

    def handlers(self) -> Mapping[str, Handler]:
        return {REBUILD: self._rebuild, REAP: self._reap}

    async def _rebuild(self, work: Work, output: TaskLog) -> Mapping[str, Any]:
        told: Any = work.payload
        async with transaction(self.tools.reading) as session:
            found = await live_on(session, told["python"])
        output.say(f"{counted(len(found), 'item')} on Python {told['python'] or 'of any version'}")
        progress, room = _Progress(len(found), output), anyio.CapacityLimiter(told["parallel"])

        async def one(wanted: _Wanted) -> None:
            async with room:
                await self._make_ready(wanted, progress)

        async with anyio.create_task_group() as group:
            for wanted in found:
                group.start_soon(one, wanted)
        if progress.counts[Outcome.failed] or progress.counts[Outcome.gone]:
            raise SomeNotBuilt(progress.counts)
        return {"type": REBUILD, "data": progress.counts}

    async def _make_ready(self, wanted: _Wanted, progress: _Progress) -> None:
        item, bundle, tools = wanted.item, wanted.bundle, self.tools
        said: list[str] = []
        try:
            code = tools.places.app(item.guid, bundle.id)
            if not code.exists():
                archive = tools.places.archive(item.guid, bundle.id)
                await unpack.unpack(archive, code, bundles.bounds(tools.settings().applications))
            told = manifest.read(json.dumps(bundle.manifest).encode())
            source = builds.Source(told, by_name(bundle.kind), code)
            before = (bundle.runtime_version, bundle.runtime_path)
            environment = await rebuild(source, bundle, tools, said.append, patient=True)
            await tools.environments.overlay(environment.runtime, said.append)
            if before != (bundle.runtime_version, bundle.runtime_path) and tools.pools.defined(pool_key(item.guid)):
                await tools.pools.restart(pool_key(item.guid))
        except RuntimeGone as gone:
            progress.tell(wanted, Outcome.gone, gone.message)
        except Problem as why:
            progress.tell(wanted, Outcome.failed, why.message)
        else:
            built = any(line.startswith("Building environment") for line in said)
            progress.tell(wanted, Outcome.built if built else Outcome.ready)

    async def _reap(self, work: Work, output: TaskLog) -> Mapping[str, Any]:
        told: Any = work.payload
        unused_for = max(dt.timedelta(seconds=told["unused_for"]), LEAST_UNUSED)
        running = running_in(await self.launcher.running())
        rows = await self.ledger.unneeded(self.tools.runtimes(), running, unused_for)
        stores = {Sort.environment: self.environments.store, Sort.overlay: self.environments.overlays.store}
        return await reap(rows, stores, self.ledger, unused_for, output.say, dry_run=told["dry_run"])


async def reap(
    rows: Sequence[Standing],
    stores: Mapping[Sort, Store],
    ledger: Ledger,
    unused_for: dt.timedelta,
    say: builds.Say,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Remove ``rows`` (or only say so), one after the other; return ``{"type", "data": {"removed", "bytes"}}``."""
    removed, freed = 0, 0
    for row in rows:
        weight = await anyio.to_thread.run_sync(weigh, row.found.path)
        if not dry_run and not await ledger.remove(row, stores[row.found.sort], unused_for):
            continue
        removed, freed = removed + 1, freed + weight.own
        verb = "Would remove" if dry_run else "Removed"
        why = f"{row.state.value}, last used {row.last_use:%Y-%m-%d}, {human_size(weight.own)} of its own"
        say(f"{verb} {row.found.sort.value} {row.found.key} of Python {row.found.python}: {why}")
    what = "would go" if dry_run else "removed"
    age = human_duration(unused_for)
    say(f"{counted(removed, 'environment')} {what} ({human_size(freed)}), unused for {age} or longer")
    return {"type": REAP, "data": {"removed": removed, "bytes": freed, "dry_run": dry_run}}


async def live_on(session: AsyncSession, python: str) -> list[_Wanted]:
    """Return the live bundles that were built for a version or range of Python, in the order they were made."""
    wanted = sa.select(Item, Bundle).join(Bundle, Bundle.id == Item.live_bundle_id)
    wanted = wanted.where(Item.deleted_at.is_(None), Bundle.runtime_version.is_not(None)).order_by(Item.id)
    within = version_range(python) if python else None
    rows = await session.execute(wanted)
    return [
        _Wanted(item, bundle)
        for item, bundle in rows
        if within is None or within.contains(Version(bundle.runtime_version or "0"), prereleases=True)
    ]
