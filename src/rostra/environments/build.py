"""How one environment is built, from an empty scratch place to a folder that is ready to be renamed.

First from wheels alone, when nothing of a package runs and caches are shared. Only when that cannot do is everything
done again with a private cache, so that code that runs while a package is built can spoil nothing but itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

import anyio

from rostra.environments import bytecode, failure, installed, lock, parts, pip, uv
from rostra.environments.distributions import Base, inventory
from rostra.environments.errors import InstallFailed
from rostra.environments.folders import give, seal
from rostra.environments.installed import Installed
from rostra.environments.requirements import Requirements
from rostra.environments.site import Site
from rostra.environments.spec import Package
from rostra.trees import remove_tree


class Installer(Protocol):
    """What ``uv`` and ``pip`` (the modules) can do: make an empty environment, install into it, tell hashes."""

    NAME: str

    async def make(self, site: Site) -> str: ...

    async def install(self, site: Site, wanted: Requirements, *, build: bool) -> tuple[int, list[str]]: ...

    async def hashes(self, site: Site, packages: list[Package]) -> Mapping[str, tuple[str, ...]]: ...


@dataclass(frozen=True, slots=True)
class Built:
    installer: str
    packages: tuple[Package, ...]
    lock: str
    size: int
    links: tuple[Path, ...] = ()  # folders elsewhere that links in it lead to
    base: Base = field(default_factory=dict)  # what was there before the first package; empty: do not keep the packages


def installer_named(name: str) -> Installer:
    modules: dict[str, ModuleType] = {"uv": uv, "pip": pip}
    return cast(Installer, modules[name])


async def build(site: Site, wanted: Requirements, *, installer: str, bundle_dir: Path, final: Path) -> Built:
    """Build in ``site.env`` what will be renamed to ``final``.

    Raises:
        InstallFailed: the packages cannot be installed.
    """
    await anyio.to_thread.run_sync(site.prepare)
    await anyio.to_thread.run_sync(parts.copy, bundle_dir, wanted.local_parts, site.parts)
    await anyio.to_thread.run_sync(lambda: give(site.box, like=site.tools.yard))
    site.asked = wanted.names
    try:
        chosen = await _make(site, installer_named(installer))
        base = await anyio.to_thread.run_sync(inventory, site.env)
        if wanted.entries:
            await _install(site, chosen, wanted)
    except TimeoutError as why:
        raise failure.failed([], installer=installer, python=str(site.runtime.version), timed_out=True) from why
    built = await _finish(site, chosen, final)
    # Wheels of the bundle may call themselves what they like, what was built may be anything, and a package may bring
    # what looks like another one.
    told = {f"{package.name}=={package.version}" for package in built.packages}
    trusted = chosen.NAME == uv.NAME and not site.private and not wanted.options.folders and told == site.installed
    return replace(built, base=base) if trusted else built


async def _make(site: Site, chosen: Installer) -> Installer:
    """Make the empty environment, with pip when uv cannot serve this interpreter; return who could."""
    why_not = await chosen.make(site)
    if why_not and chosen.NAME == uv.NAME:
        site.say(f"uv cannot serve this interpreter ({why_not}); pip installs instead")
        await anyio.to_thread.run_sync(remove_tree, site.env)
        chosen = installer_named(pip.NAME)
        why_not = await chosen.make(site)
    if why_not:
        raise InstallFailed(
            f"Python {site.runtime.version} cannot make an environment: {why_not}.",
            hint="Its venv module must work; tell an administrator.",
            reason=failure.OTHER,
            requirement="",
            lines=[why_not],
        )
    return chosen


async def _install(site: Site, chosen: Installer, wanted: Requirements) -> None:
    reason = wanted.builds
    if not reason:
        code, lines = await _run(site, chosen, wanted, build=False)
        if code == 0:
            return
        if wanted.options.only_binary == (":all:",) or not failure.needs_build(lines):
            raise failure.failed(lines, installer=chosen.NAME, python=str(site.runtime.version))
        reason = "not everything has a wheel"
    site.say(f"Installing again with building from source, apart from shared caches: {reason}")
    site.private = True
    await anyio.to_thread.run_sync(remove_tree, site.env)  # its files may be links into the shared cache
    await _make(site, chosen)
    code, lines = await _run(site, chosen, wanted, build=True)
    if code != 0:
        built = [entry.local or entry.text for entry in wanted.entries if entry.builds]
        only_built = built[0] if len(built) == 1 else ""
        raise failure.failed(lines, installer=chosen.NAME, python=str(site.runtime.version), only_built=only_built)


async def _run(site: Site, chosen: Installer, wanted: Requirements, *, build: bool) -> tuple[int, list[str]]:
    for one in wanted.passes:
        await anyio.to_thread.run_sync(_write, site, one)
        code, lines = await chosen.install(site, one, build=build)
        if code != 0:
            break
    return code, lines


async def _finish(site: Site, chosen: Installer, final: Path) -> Built:
    """Say what is there, add bytecode and make it read-only. No code of a package runs here."""
    folder = installed.site_packages(site.env)
    found = [one for one in await anyio.to_thread.run_sync(installed.read, folder) if not _seed(one, chosen, site)]
    known: dict[str, tuple[str, ...]] = {}

    async def learn_hashes() -> None:
        if packages := [one.package for one in found if not one.address]:
            known.update(await chosen.hashes(site, packages))

    async with anyio.create_task_group() as group:
        group.start_soon(learn_hashes)
        group.start_soon(bytecode.provide, site, folder)
    if chosen.NAME == pip.NAME:
        await anyio.to_thread.run_sync(pip.relocate, site.env, final)
    size = await anyio.to_thread.run_sync(lambda: seal(site.env, shared=not site.private))
    heading = lock.heading(chosen.NAME, site.runtime)
    return Built(chosen.NAME, tuple(one.package for one in found), lock.render(found, known, heading=heading), size)


def _seed(one: Installed, chosen: Installer, site: Site) -> bool:
    """Say whether a package is there only because Python's venv puts it in."""
    return chosen.NAME == pip.NAME and one.package.name in installed.SEEDS and one.package.name not in site.asked


def _write(site: Site, wanted: Requirements) -> None:
    lines = [entry.line(site.parts) for entry in wanted.entries]
    folders = [f"--find-links {(site.parts / folder).as_uri()}" for folder in wanted.options.folders]
    site.written = (*folders, *lines)
    (site.root / "requirements.txt").write_text("\n".join(site.written) + "\n", encoding="utf-8")
    limits = [entry.line(site.parts) for entry in wanted.constraints]
    (site.root / "constraints.txt").write_text("\n".join(limits) + "\n", encoding="utf-8")
