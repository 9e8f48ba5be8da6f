"""The processes of interactive content: which pool an item has, and what one process of it is started with."""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import keys
from rostra.config.sections import Scheduler
from rostra.content import beside, builds, items, manifest, session_tokens, variables
from rostra.content.beside import ProgramGone
from rostra.content.builds import RuntimeGone
from rostra.content.errors import ItemNotFound
from rostra.content.launching import Start, launch, seconds
from rostra.content.paths import base_path, pool_key, split_pool
from rostra.content.rebuild import gone, rebuild, successor
from rostra.content.tables import Bundle, Item, Variable
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.execution.launcher import Launch
from rostra.execution.pool import PoolSpec
from rostra.execution.scaling import Limits
from rostra.ids import PoolKey, ProcessKey
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.runtimes.model import Policy

PROGRESS_LINES = 200


@dataclass(slots=True)
class Progress:
    """How far a start is. ``place`` is its place in the queue of builds, from 1; None: it does not wait there."""

    lines: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=PROGRESS_LINES))
    installing: bool = True
    place: int | None = None

    def say(self, line: str) -> None:
        self.lines.append(line)

    def stands(self, place: int | None) -> None:
        self.place = place

    @property
    def phase(self) -> str:
        """What is going on, in a few words for people."""
        if not self.installing:
            return "Starting"
        return "Waiting for other installations" if self.place else "Installing its packages"


class Processes:
    """Defines pools as they are asked for, from what the database says at that moment."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._progress: dict[PoolKey, Progress] = {}

    def standing(self, key: PoolKey) -> Progress:
        """Return how far the last start of this pool is, for the waiting page."""
        return self._progress.get(key) or Progress(installing=False)

    async def define(self, key: PoolKey) -> bool:
        """Make the pool known; False when the item is gone, not interactive, or has nothing to run."""
        return bool(self._tools.pools.defined(key)) or await self._define(key)

    def gone(self, bundle: Bundle) -> RuntimeGone | None:
        """Return why nothing can run this bundle any more; None when something can."""
        return gone(bundle, Policy(self._tools.settings().python.version_matching), self._tools.runtimes())

    async def lost(self, bundle: Bundle) -> RuntimeGone | ProgramGone | None:
        """As `gone`, with the R or Quarto it was made with, which is looked for only when there is one."""
        python = self.gone(bundle)
        if python is not None or (bundle.r_version is None and bundle.quarto_version is None):
            return python
        return beside.gone(bundle, await self._tools.beside())

    def outdated(self, bundle: Bundle) -> bool:
        """Return whether another release takes the place of the interpreter this bundle was built for."""
        if bundle.runtime_version is None or self.gone(bundle):
            return False
        policy = Policy(self._tools.settings().python.version_matching)
        return bool(successor(bundle, policy, self._tools.runtimes()).reason)

    async def refresh(self, guid: str) -> None:
        """Let the item's pools follow what was changed: processes whose settings changed are replaced, others stay."""
        for key in list(self._tools.pools.announcements()):
            if split_pool(key)[0] == guid and not await self._define(key):
                await self._tools.pools.retire(key, drain_seconds=0)

    async def _define(self, key: PoolKey) -> bool:
        async with transaction(self._tools.reading) as session:
            found = await self._find(session, key)
            spec = None if found is None else await self.spec(session, *found, draft=split_pool(key)[1] is not None)
        if spec is not None:
            await self._tools.pools.define(spec)
        return spec is not None

    async def spec(self, session: AsyncSession, item: Item, bundle: Bundle, *, draft: bool) -> PoolSpec:
        """Return how the pool of an item (or of one of its drafts) is run."""
        settings = self._tools.settings().scheduler
        key = pool_key(item.guid, bundle.id if draft else None)
        labels = await self._labels(session, item, bundle, key)

        async def make(process: ProcessKey) -> Launch:
            made = await self.launch(key, process, labels)
            self._tools.pools.relabel(key, labels, made.labels)
            return made

        return PoolSpec(
            key=key,
            make_launch=make,
            limits=limits(item, settings, draft=draft),
            init_timeout=seconds(item.init_timeout, settings.init_timeout),
            idle_timeout=seconds(item.idle_timeout, settings.idle_timeout),
            labels=labels,
        )

    async def _labels(self, session: AsyncSession, item: Item, bundle: Bundle, key: PoolKey) -> dict[str, str]:
        """Return what tells processes of this very state of the item from others, also after a restart."""
        rows = await session.execute(sa.select(Variable.name, Variable.value).where(Variable.item_id == item.id))
        facts = [sorted(map(tuple, rows)), item.vanity_path, item.memory_limit, item.cpu_limit, item.run_as]
        state = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        return {"pool": key, "item": item.guid, "bundle": str(bundle.id), "state": state, **built_on(bundle)}

    async def launch(self, key: PoolKey, process: ProcessKey, labels: Mapping[str, str]) -> Launch:
        """Return what one process of this pool is started with; makes its environment again when that is missing.

        Raises:
            RuntimeGone, InstallFailed, ItemNotFound
        """
        async with transaction(self._tools.reading) as session:
            found = await self._find(session, key)
        if found is None:
            raise ItemNotFound(split_pool(key)[0])
        draft = split_pool(key)[1]
        return await self.launch_of(*found, process, labels, draft=draft is not None)

    async def launch_of(
        self, item: Item, bundle: Bundle, process: ProcessKey, labels: Mapping[str, str], *, draft: bool
    ) -> Launch:
        """The same for a bundle that need not be the live one yet."""
        tools, settings = self._tools, self._tools.settings()
        kind = by_name(bundle.kind)
        progress = self._progress[pool_key(item.guid, bundle.id if draft else None)] = Progress()
        told = manifest.read(json.dumps(bundle.manifest).encode())
        code = tools.places.app(item.guid, bundle.id)
        source = builds.Source(told, kind, code)
        environment, overlay = None, None
        chosen = beside.recorded(kind, beside.wish(told), bundle, await tools.beside())
        try:
            if beside.needs_python(kind, told):
                environment = await rebuild(source, bundle, tools, progress.say, place=progress.stands)
            if environment is not None and kind.python:
                overlay = await tools.environments.overlay(environment.runtime, progress.say)
        finally:
            progress.installing = False
        async with transaction(tools.sessions) as session:
            own = await variables.for_process(session, tools.box, item.id)
            key = None
            if settings.applications.default_api_key_env:
                key = await keys.for_process(session, item.owner_id, process, tools.clock.now())
        start = Start(
            guid=item.guid,
            bundle_id=bundle.id,
            kind=kind.name,
            entrypoint=bundle.entrypoint,
            base_path=base_path(item.guid, item.vanity_path, bundle.id if draft else None, server=tools.server_path),
            server_url=tools.server_url,
            environment=environment,
            overlay=overlay,
            variables=own,
            api_key=key,
            session_token=session_tokens.make_for_content(tools.box, item.guid),
            user=tools.user,
            log_bytes=settings.applications.job_log_size,
            memory_bytes=item.memory_limit or None,
            cpus=item.cpu_limit or None,
            options={},
            r=chosen.r,
        )
        # What runs in an environment keeps it: it must not be removed as unused. Making it may have changed the bundle.
        return launch(start, process, tools.places, {**labels, **built_on(bundle)})

    async def _find(self, session: AsyncSession, key: PoolKey) -> tuple[Item, Bundle] | None:
        guid, draft = split_pool(key)
        item = await items.find(session, guid)
        wanted = draft if draft is not None else item and item.live_bundle_id
        bundle = await session.get(Bundle, wanted) if wanted is not None else None
        if item is None or bundle is None or bundle.item_id != item.id:
            return None
        return (item, bundle) if by_name(bundle.kind).mode is Mode.interactive else None


def built_on(bundle: Bundle) -> dict[str, str]:
    """Return what tells processes in today's environment from those that were started before it was made anew."""
    found = (bundle.runtime_version, bundle.runtime_path, bundle.r_version, bundle.r_path)
    return {"environment": bundle.environment_key or "", "runtime": " ".join(each for each in found if each)}


def limits(item: Item, settings: Scheduler, *, draft: bool) -> Limits:
    """Return the item's own process limits, else the server's. A draft is looked at by few: one process, never kept."""
    most = settings.max_processes if item.max_processes is None else item.max_processes
    least = settings.min_processes if item.min_processes is None else item.min_processes
    return Limits(
        min_processes=0 if draft else min(least, most),
        max_processes=1 if draft else max(1, most),
        max_conns_per_process=item.max_conns_per_process or settings.max_conns_per_process,
        load_factor=settings.load_factor if item.load_factor is None else item.load_factor,
    )
