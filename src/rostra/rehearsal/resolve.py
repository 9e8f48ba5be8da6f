"""Would the packages of an environment resolve for another interpreter: as they are, newer, or not at all.

Asks the installer's resolver, in the sandbox and with the index settings of real builds; installs nothing. Wheels alone
come first, so that as long as they suffice no code of a package runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from rostra.environments import failure, installed, parts, uv
from rostra.environments.errors import InstallFailed
from rostra.environments.folders import give, read_plain, scratch
from rostra.environments.requirements import Requirements
from rostra.environments.site import Site, Tools, silent
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.store import read_requirements
from rostra.rehearsal.model import Plan, Resolved
from rostra.rehearsal.packages import edits, loosened, moved, pins_in, without_wheels


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What an item runs with today. ``remote`` came from an address or the bundle; ``compiled`` hold compiled code."""

    pins: Mapping[str, str]
    remote: frozenset[str] = frozenset()
    compiled: frozenset[str] = frozenset()


def present_of(environment: Environment | None) -> Present:
    """Read it from the environment's own records; empty when there is none. Looks at the disk."""
    if environment is None or environment.root is None:
        return Present(pins={})
    try:
        folder = installed.site_packages(environment.root)
    except OSError:
        return Present(pins={one.name: one.version for one in environment.packages})
    found = installed.read(folder)
    asked = {one.name for one in environment.packages}
    return Present(
        pins={one.package.name: one.package.version for one in found if one.package.name in asked},
        remote=frozenset(one.package.name for one in found if one.address),
        compiled=frozenset(_compiled(folder)),
    )


def _compiled(folder: Path) -> list[str]:
    names = []
    for record in sorted(folder.glob("*.dist-info")):
        try:
            told = read_plain(record / "WHEEL", 100_000)
        except OSError:
            continue
        if "root-is-purelib: false" in told.lower():
            names += list(pins_in([record.name.removesuffix(".dist-info").replace("-", "==", 1)]))
    return names


async def resolve(spec: EnvironmentSpec, present: Present, tools: Tools) -> Resolved:
    """Return the ways to install what ``spec`` asks for on its runtime, best first; none with the reason.

    Raises:
        BadRequirement
    """
    wanted = await anyio.to_thread.run_sync(read_requirements, spec)
    async with scratch(tools.yard) as place:
        site = Site(
            tools=tools,
            runtime=spec.runtime,
            root=place,
            say=silent,
            index=tools.index.with_options(wanted.options),
            ends_at=asyncio.get_running_loop().time() + tools.build_timeout.total_seconds(),
        )
        await anyio.to_thread.run_sync(site.prepare)
        await anyio.to_thread.run_sync(parts.copy, spec.bundle_dir, wanted.local_parts, site.parts)
        await anyio.to_thread.run_sync(lambda: give(site.box, like=tools.yard))
        try:
            return await _Resolver(site, wanted, present).plans()
        except TimeoutError:
            return _failed(failure.failed([], installer=uv.NAME, python=str(spec.runtime.version), timed_out=True))


@dataclass(slots=True)
class _Attempt:
    pins: dict[str, str]
    lines: Sequence[str]

    @property
    def good(self) -> bool:
        return bool(self.pins) or not self.lines


class _Resolver:
    def __init__(self, site: Site, wanted: Requirements, present: Present) -> None:
        self.site, self.wanted, self.present = site, wanted, present
        self.own = [entry.line(site.parts).split(" --hash=")[0] for entry in wanted.entries]
        known = {name: version for name, version in present.pins.items() if name not in present.remote}
        self.same = [f"{name}=={version}" for name, version in sorted(known.items())]
        self.least = [f"{name}>={version}" for name, version in sorted(known.items())]

    async def plans(self) -> Resolved:
        if not self.own:
            return Resolved(plans=(Plan(),))
        strict = await self._compile(self.own, self.same, build=False) if not self.wanted.builds else None
        if strict and strict.good:
            return Resolved(plans=(self._plan(strict),))
        plans = [plan for plan in (await self._same_from_source(),) if plan]
        if not (plans and not plans[0].compiled):
            plans += await self._newer()
        # The first failure tells what keeps the packages of today from being used.
        why = self._why(strict) if strict else None
        return Resolved(
            plans=tuple(plans),
            reason=why.message if why else "",
            package=why.requirement if why else "",
            lines=tuple(why.lines) if why else (),
        )

    async def _same_from_source(self) -> Plan | None:
        found = await self._compile(self.own, self.same, build=True)
        return await self._with_source(self._plan(found)) if found.good else None

    async def _newer(self) -> list[Plan]:
        """Newer packages, moved no further than must be, then the newest: as the file is, else with its limits lifted.

        What is moved least is the least to test, but it is a set of releases nobody may ever have used together.
        """
        loose = [line for _, line in loosened(self.wanted.entries, self.present.pins)]
        loose = [
            own if entry.local or entry.builds else line
            for own, line, entry in zip(self.own, loose, self.wanted.entries, strict=True)
        ]
        builds = bool(self.wanted.builds)
        for lines in (self.own, loose):
            found = await self._compile(lines, self.least, build=builds, prefer=self.same)
            if found.good:
                newest = await self._compile(lines, self.least, build=builds)
                return distinct([self._plan(each) for each in (found, newest) if each.good])
        found = await self._compile(loose, self.least, build=True, prefer=self.same)
        plan = self._plan(found)
        return [await self._with_source(plan)] if found.good and plan.newer else []

    async def _with_source(self, plan: Plan) -> Plan:
        """Return the plan with what must be built from source."""
        source = await self._built(plan.pins)
        compiled = tuple(name for name in source if name in self.present.compiled)
        return replace(plan, source=source, compiled=compiled)

    def _plan(self, found: _Attempt) -> Plan:
        pins = tuple(f"{name}=={version}" for name, version in sorted(found.pins.items()))
        pins = tuple(pin for pin in pins if pin.partition("==")[0] not in self.present.remote)
        known = {name: version for name, version in self.present.pins.items() if name not in self.present.remote}
        changes = moved(known, {n: v for n, v in found.pins.items() if n not in self.present.remote}) if known else ()
        return Plan(edits=edits(self.wanted.entries, found.pins), pins=pins, moved=changes)

    def _why(self, attempt: _Attempt) -> InstallFailed:
        return failure.failed(attempt.lines, installer=uv.NAME, python=str(self.site.runtime.version))

    async def _built(self, pinned: Sequence[str]) -> tuple[str, ...]:
        """Return the names that have no wheel for this interpreter."""
        out = self.site.box / "pylock.toml"
        code, _ = await self._run(self.own, pinned, "--format", "pylock.toml", "-o", str(out), build=True)
        if code != 0:
            return ()
        return without_wheels(await anyio.to_thread.run_sync(read_plain, out))

    async def _compile(
        self, lines: Sequence[str], limits: Sequence[str], *, build: bool, prefer: Sequence[str] = ()
    ) -> _Attempt:
        out = self.site.box / "resolved.txt"
        out.unlink(missing_ok=True)
        if prefer:
            out.write_text("\n".join(prefer) + "\n", encoding="utf-8")
            out.chmod(0o666)  # the resolver runs as another account
        lowest = ("--resolution", "lowest-direct") if prefer else ()
        code, said = await self._run(lines, limits, "-o", str(out), *lowest, build=build)
        if code != 0:
            return _Attempt({}, said or [f"exit status {code}"])
        return _Attempt(pins_in((await anyio.to_thread.run_sync(read_plain, out)).splitlines()), ())

    async def _run(
        self, lines: Sequence[str], limits: Sequence[str], *options: str, build: bool
    ) -> tuple[int, list[str]]:
        site, asked = self.site, self.wanted.options
        site.private = build  # code of packages may run: nothing shared is shown to it
        folders = [f"--find-links {(site.parts / folder).as_uri()}" for folder in asked.folders]
        (site.root / "requirements.txt").write_text("\n".join([*folders, *lines]) + "\n", encoding="utf-8")
        constraints = [*(entry.line(site.parts) for entry in self.wanted.constraints), *limits]
        (site.root / "constraints.txt").write_text("\n".join(constraints) + "\n", encoding="utf-8")
        argv = compile_argv(site, build=build)
        if build:
            argv += tuple(word for name in asked.no_binary for word in ("--no-binary", name))
            argv += tuple(word for name in asked.only_binary for word in ("--only-binary", name))
        cache = site.cache(site.tools.uv_cache)
        return await site.run(
            (*argv, *options),
            env=uv.variables(site.index, cache),
            network=True,
            readable=(site.tools.uv,),
            on_line=silent,
        )


def distinct(plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans without those that install what an earlier one does."""
    return list({plan.pins: plan for plan in reversed(plans)}.values())[::-1]


def compile_argv(site: Site, *, build: bool) -> tuple[str, ...]:
    argv: tuple[str, ...] = (str(site.tools.uv), "pip", "compile", "--no-header", "--no-annotate")
    argv += ("--python", str(site.runtime.executable), "-c", str(site.root / "constraints.txt"))
    argv += ("--no-index",) if site.index.no_index else ()
    argv += () if build else ("--no-build",)
    return (*argv, str(site.root / "requirements.txt"))


def _failed(why: InstallFailed) -> Resolved:
    return Resolved(reason=why.message, package=why.requirement, lines=tuple(why.lines))
