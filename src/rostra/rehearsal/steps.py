"""The steps of one item, each asked once for everything it depends on, however many items share that."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rostra.content import builds
from rostra.content.deploy import Work
from rostra.db.engine import transaction
from rostra.environments import installed
from rostra.environments.errors import BadRequirement, InstallFailed
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.kinds.kind import Mode
from rostra.rehearsal import records, shelves, static
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Answer, Built, Checked, Plan, Resolved, Started
from rostra.rehearsal.packages import pins_in
from rostra.rehearsal.resolve import present_of, resolve
from rostra.rehearsal.start import Aside
from rostra.runtimes.model import Runtime

F = TypeVar("F", Resolved, Built, Started, Checked)
AT_ONCE = 2  # of each step: visits come first
_IN_MEMORY = 1000  # findings; a walk meets the items of one environment one after the other
_FORMAT = 3  # raise it when what an earlier release found out must not be used any more


class Steps:
    """Carries steps out for one rehearsal. ``since``: what was found out before that is found out again."""

    def __init__(self, bench: Bench, rehearsal_id: str, since: dt.datetime) -> None:
        self._bench, self._id, self._since = bench, rehearsal_id, since
        self._locks: dict[str, asyncio.Lock] = {}
        self._read: OrderedDict[str, Any] = OrderedDict()  # the latest findings, so that most items ask no database
        self._modules: dict[str, list[str]] = {}
        self._resolving, self._starting = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        self._checking = asyncio.Semaphore(AT_ONCE)
        # One place for building stays free: a deploy must not wait for a rehearsal.
        places = bench.tools.settings().python.build_concurrency
        self._building = asyncio.Semaphore(max(1, places - 1))
        self._aside = Aside(bench.tools, bench.render, bench.folder / rehearsal_id)
        self.asked = 0  # how often something was really found out, for the measurements

    def present(self, work: Work) -> tuple[Runtime | None, Environment | None]:
        """Return the interpreter and environment the item runs with today, None where it is gone."""
        bundle = work.bundle
        same = [each for each in self._bench.tools.runtimes() if str(each.version) == bundle.runtime_version]
        runtime = next((each for each in same if str(each.executable) == bundle.runtime_path), None)
        if bundle.managed is False and runtime is not None:
            return runtime, dataclasses.replace(_bare(runtime), key=bundle.environment_key or "unmanaged")
        return runtime, self._bench.store.get(bundle.environment_key) if bundle.environment_key else None

    async def resolved(self, work: Work, to: Runtime) -> Resolved:
        if work.bundle.managed is False:
            return Resolved(plans=(Plan(),))

        async def find() -> Resolved:
            async with self._resolving:
                _, environment = self.present(work)
                present = await anyio.to_thread.run_sync(present_of, environment)
                try:
                    return await resolve(self._spec(work, to), present, self._bench.store.tools)
                except BadRequirement as why:
                    return Resolved(reason=why.message)

        key = _key("resolve", work.bundle.environment_key, to.identity)
        return await self._once(key, find, shelves.resolved)

    async def built(self, work: Work, to: Runtime, resolved: Resolved, first: int = 0) -> Built:
        """Build the first plan that installs; those before ``first`` are not tried."""
        if work.bundle.managed is False:
            return Built(plan=0, key="")

        async def find() -> Built:
            async with self._building:
                return await self._build(work, to, resolved, first)

        key = _key("build", work.bundle.environment_key, to.identity, resolved, first)
        found = await self._once(key, find, shelves.built)
        if found.plan is not None and self._bench.store.get(found.key) is None:  # it was reaped since
            found = await find()
        return found

    async def checked(self, work: Work, to: Runtime) -> Checked:
        async def find() -> Checked:
            async with self._checking:
                return await self._check(work, to)

        present, _ = self.present(work)
        was = present.identity if present else ""
        key = _key("static", work.bundle.sha256, work.bundle.entrypoint, was, to.identity)
        return await self._once(key, find, shelves.checked)

    async def started(self, work: Work, to: Runtime, built: Built) -> Started:
        async def find() -> Started:
            async with self._starting:
                environment = self._bench.store.get(built.key) if built.key else _bare(to)
                if environment is None:
                    return Started(then=Answer(good=False, reason="its environment went away while it was rehearsed"))
                then = await self._answer(work, environment)
                today = None
                if not then.good or (then.status or 0) >= 400:
                    runtime, now = self.present(work)
                    today = await self._answer(work, now) if runtime and now else None
                return Started(then=then, today=today)

        key = _key("start", work.item.guid, work.bundle.id, work.item.updated_at, built.key or to.identity)
        return await self._once(key, find, shelves.started)

    def provided(self, work: Work, checked: Checked, plan: Plan, built: Built | None) -> Checked:
        """Return the remarks without those about modules that the new environment brings back.

        Before it is known what that holds, today's packages are taken for it.
        """
        environment = self._bench.store.get(built.key) if built and built.key else None
        modules = self._offered(environment) if environment else []
        _, today = self.present(work)
        names = set(pins_in(plan.pins)) or {each.name for each in (today.packages if today else ())}
        return static.provided(checked, names, modules)

    def _offered(self, environment: Environment) -> list[str]:
        if environment.key not in self._modules:  # a ready environment is never changed
            self._modules[environment.key] = _top_level(environment)
        return self._modules[environment.key]

    async def _answer(self, work: Work, environment: Environment) -> Answer:
        how = self._aside.document if work.kind.mode is Mode.rendered else self._aside.run
        return await how(work, environment)

    async def _check(self, work: Work, to: Runtime) -> Checked:
        code = self._bench.tools.places.app(work.item.guid, work.bundle.id)
        present, _ = self.present(work)
        today = await static.inspect(code, present, self._bench.store.tools) if present else None
        then = await static.inspect(code, to, self._bench.store.tools)
        if then is None:
            return Checked()
        files = [each["file"] for each in (today or then)["files"]]
        return static.compare(today, then, static.roots_of(work.kind.name, work.bundle.entrypoint, files))

    async def _build(self, work: Work, to: Runtime, resolved: Resolved, first: int) -> Built:
        last: InstallFailed | None = None
        for number, plan in enumerate(resolved.plans[first:], first):
            spec = dataclasses.replace(edited(self._spec(work, to), plan), pins=plan.pins)
            try:
                key = await self._bench.store.key(spec)
                if self._bench.store.get(key) is None:
                    async with transaction(self._bench.tools.sessions) as session:
                        await records.intend(session, self._id, key)
                environment = await self._bench.store.ensure(spec, lambda _: None, patient=True)
            except InstallFailed as why:
                last = why
            except BadRequirement as why:
                return Built(reason=why.message)
            else:
                return Built(plan=number, key=environment.key)
        if last is None:
            return Built(reason=resolved.reason, package=resolved.package, lines=resolved.lines)
        return Built(reason=last.message, package=last.requirement, lines=tuple(last.lines))

    def _spec(self, work: Work, to: Runtime) -> EnvironmentSpec:
        code = self._bench.tools.places.app(work.item.guid, work.bundle.id)
        return builds.spec(to, builds.Source(work.manifest, work.kind, code), install=True)

    async def _once(self, key: str, find: Callable[[], Awaitable[F]], read: Callable[[Mapping[str, Any]], F]) -> F:
        """Return what is remembered under ``key``, else find it out and remember it; one at a time for each key."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key in self._read:
                self._read.move_to_end(key)
                kept: F = self._read[key]
                return kept
            found = await self._remembered(key, find, read)
            self._read[key] = found
            if len(self._read) > _IN_MEMORY:
                self._read.popitem(last=False)
            return found

    async def _remembered(
        self, key: str, find: Callable[[], Awaitable[F]], read: Callable[[Mapping[str, Any]], F]
    ) -> F:
        tools = self._bench.tools
        async with transaction(tools.reading) as session:
            known = await records.find(session, key, self._since)
        if known is not None:
            return read(known)
        found = await find()
        self.asked += 1
        async with transaction(tools.sessions) as session:
            await records.keep(session, key, shelves.put(found), tools.clock.now())
        return found


def edited(spec: EnvironmentSpec, plan: Plan) -> EnvironmentSpec:
    """Return ``spec`` with the plan's edits made to its requirements file."""
    if not plan.edits:
        return spec
    wanted: dict[str, str] = {canonicalize_name(Requirement(after).name): after for _, after in plan.edits}
    lines = [_edited(line, wanted) for line in (spec.requirements or "").splitlines()]
    return dataclasses.replace(spec, requirements="\n".join(lines) + "\n")


def _edited(line: str, wanted: Mapping[str, str]) -> str:
    bare = line.partition(" #")[0].partition(" --")[0].strip()
    try:
        return wanted.get(canonicalize_name(Requirement(bare).name), line)
    except InvalidRequirement:
        return line


def _bare(runtime: Runtime) -> Environment:
    return Environment(key="unmanaged", runtime=runtime, python=runtime.executable, root=None, lock="")


def _top_level(environment: Environment) -> list[str]:
    """Return the modules an environment's folder offers by name. Nothing of it is imported."""
    if environment.root is None:
        return []
    try:
        folder = installed.site_packages(environment.root)
    except OSError:
        return []
    found = [path.name.partition(".")[0] for path in folder.iterdir() if not path.name.endswith("-info")]
    return [*found, *(["distutils"] if (folder / "distutils-precedence.pth").exists() else [])]


def _key(*parts: object) -> str:
    return f"{parts[0]}:{hashlib.sha256(repr((_FORMAT, *parts)).encode()).hexdigest()[:40]}"
