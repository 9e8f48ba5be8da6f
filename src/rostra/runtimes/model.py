"""Runtimes, requests for one, and the answer. Plain values: no disk, no subprocess."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version


class RuntimeState(StrEnum):
    active = "active"
    deprecated = "deprecated"  # runs what it has; chosen for new content only when nothing else fits
    retired = "retired"  # not used any more


class Policy(StrEnum):
    major_minor = "major-minor"
    exact = "exact"
    nearest = "nearest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One usable interpreter.

    ``executable`` is the configured path, never resolved: an admin may repoint a link on purpose.
    ``target`` is what it resolves to.
    ``prefixes`` are the folders (or single files) a sandbox must show so that it starts.
    ``identity`` names this very build (version, implementation, platform, target, mtime, size): environments keyed by
    it become unusable when the interpreter behind the path changes.
    """

    version: Version
    executable: Path
    target: Path
    implementation: str = "cpython"
    cache_tag: str = ""  # e.g. cpython-311
    platform: str = ""  # e.g. linux-x86_64
    prefixes: tuple[Path, ...] = ()  # shown read-only; the operating system's own folders are left out
    identity: str = ""
    state: RuntimeState = RuntimeState.active
    series: tuple[int, int] = field(init=False, repr=False, compare=False)  # MAJOR.MINOR
    prerelease: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Kept rather than asked for: a decision looks at them for every runtime.
        object.__setattr__(self, "series", (self.version.major, self.version.minor))
        object.__setattr__(self, "prerelease", self.version.is_prerelease)


@dataclass(frozen=True, slots=True)
class Request:
    """What a bundle asks for: the author's version, a range, both or neither."""

    version: Version | None = None
    requires: SpecifierSet | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The chosen runtime, and why, as one sentence for the deploy log."""

    runtime: Runtime
    reason: str
    warnings: tuple[str, ...] = field(default=())
