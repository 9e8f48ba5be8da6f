"""From a bundle's manifest to a runtime and a ready environment, saying at each step what was decided and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from packaging.version import Version

from rostra.config.sections import Settings
from rostra.content.beside import Chosen, needs_python
from rostra.content.manifest import Manifest
from rostra.content.tables import Bundle, Item
from rostra.environments.requirement_lines import decode
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.turns import Place, nobody
from rostra.errors import Gone
from rostra.kinds.kind import Kind
from rostra.runtimes.matching import choose
from rostra.runtimes.model import Match, Policy, Request, Runtime, RuntimeState

Say = Callable[[str], None]


class Environments(Protocol):
    """What `environments.store.Store` offers; tests hand in another."""

    async def ensure(
        self, spec: EnvironmentSpec, say: Say, *, place: Place = nobody, patient: bool = False
    ) -> Environment: ...

    async def overlay(self, runtime: Runtime, say: Say) -> Path: ...


class RuntimeGone(Gone):
    """The interpreter an item was built for is not on this server any more, or is ``retired``."""

    code = "runtime-gone"
    language = "Python"

    def __init__(self, version: str, path: str, installed: Sequence[Version], *, retired: bool = False) -> None:
        self.version, self.path, self.installed = version, path, tuple(installed)
        have = ", ".join(map(str, sorted(installed))) or "no Python at all"
        back = f"take {version} out of [Python] Retired" if retired else f"put {version} back under [Python] Executable"
        super().__init__(
            f"this content runs on Python {version}, which this server no longer offers (it has {have})",
            hint=f"Publish it again for a Python version this server has, or ask an administrator to {back}.",
        )


@dataclass(frozen=True, slots=True)
class Built:
    """``match`` is None for content that needs no Python, and then so is ``environment``."""

    match: Match | None
    environment: Environment | None
    beside: Chosen = field(default_factory=Chosen)


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked bundle: what it says of itself, which kind it is, and the folder with its files."""

    manifest: Manifest
    kind: Kind
    code: Path


def request(manifest: Manifest) -> Request:
    return Request(version=manifest.python, requires=manifest.requires)


def managed(settings: Settings, manifest: Manifest, item_default: bool | None) -> bool:
    """Return whether packages are installed: the server's switch, then the bundle's wish, then the item's default."""
    if not settings.python.environment_management:
        return False
    if manifest.manage_python is not None and settings.applications.manifest_environment_management_selection:
        return manifest.manage_python
    if item_default is not None and settings.applications.default_environment_management_selection:
        return item_default
    return True


def spec(runtime: Runtime, source: Source, *, install: bool) -> EnvironmentSpec:
    """Return what the environment is made from. Reads the bundle's requirements file when it is there."""
    manifest = source.manifest
    listed = source.code / manifest.package_file
    return EnvironmentSpec(
        runtime=runtime,
        requirements=decode(listed.read_bytes()) if manifest.package_file and listed.is_file() else None,
        requirements_file=manifest.package_file or "requirements.txt",
        bundle_dir=source.code,
        additions=source.kind.additions,
        allow_uv=manifest.allow_uv,
        managed=install,
    )


async def build(
    source: Source,
    item: Item,
    environments: Environments,
    *,
    settings: Settings,
    runtimes: Sequence[Runtime],
    say: Say,
) -> Built:
    """Choose an interpreter for a new bundle and make its environment ready.

    Raises:
        NoMatchingPython: nothing fits; the text is the one clients look for.
        InstallFailed: the packages could not be installed; nothing is left behind.
    """
    manifest = source.manifest
    if not needs_python(source.kind, manifest):
        return Built(None, None)
    match = choose(request(manifest), Policy(settings.python.version_matching), runtimes)
    for line in asked(manifest):
        say(line)
    say(f"Using Python {match.runtime.version} from {match.runtime.executable}: {match.reason}")
    for warning in match.warnings:
        say(f"Warning: {warning}")
    install = managed(settings, manifest, item.manage_python)
    environment = await environments.ensure(spec(match.runtime, source, install=install), say)
    return Built(match, environment)


async def move(
    source: Source,
    bundle: Bundle,
    environments: Environments,
    *,
    onto: str,
    pins: tuple[str, ...],
    runtimes: Sequence[Runtime],
    say: Say,
) -> Built:
    """Make a bundle's environment ready on the interpreter with version ``onto``, whatever the rule would choose.

    Raises:
        RuntimeGone: there is no such interpreter, or only a retired one.
        InstallFailed
    """
    usable = [runtime for runtime in runtimes if runtime.state is not RuntimeState.retired]
    found = next((runtime for runtime in usable if str(runtime.version) == onto), None)
    if found is None:
        raise RuntimeGone(onto, "", [runtime.version for runtime in usable])
    match = Match(found, f"Moved from Python {bundle.runtime_version} by an administrator")
    say(f"Using Python {found.version} from {found.executable}: {match.reason}")
    wanted = dataclasses.replace(spec(found, source, install=bundle.managed is not False), pins=pins)
    return Built(match, await environments.ensure(wanted, say))


def asked(manifest: Manifest) -> list[str]:
    """Return the lines that say what the bundle asked for, in the words clients look for."""
    lines = [f"Bundle requested Python version {manifest.python}"] if manifest.python else []
    if manifest.requires:
        lines.append(f"Bundle requires Python {manifest.requires}")
    return lines or ["Bundle requested no Python version"]
