"""An R of this server, and what else content may be made with. Plain values: no disk, no subprocess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from rostra.runtimes.model import Policy, Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class RInstallation:
    """One usable R: ``runtime`` is what matching chooses among (its implementation is ``r``).

    ``packages`` maps the installed packages to their versions; content uses them as they stand. ``libraries`` are the
    folders they are in. ``pandoc`` is the program documents need, None when there is none.
    """

    runtime: Runtime
    home: Path
    libraries: tuple[Path, ...]
    packages: Mapping[str, str]
    pandoc: Path | None = None

    @property
    def version(self) -> Version:
        return self.runtime.version

    @property
    def executable(self) -> Path:
        return self.runtime.executable

    @property
    def mounts(self) -> tuple[Path, ...]:
        """What a sandbox must show, read-only, for it to start."""
        return self.runtime.prefixes

    def lacking(self, *needed: str) -> tuple[str, ...]:
        """Return the packages of ``needed`` that are not installed; ``pandoc`` among them means the program."""
        return tuple(name for name in needed if not (self.pandoc if name == "pandoc" else name in self.packages))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuartoInstallation:
    """One usable Quarto. ``mounts`` is what a sandbox must show, read-only, for it to start."""

    version: Version
    executable: Path
    mounts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What this server offers content beside Python. ``policy`` is how an R is chosen."""

    r: tuple[RInstallation, ...] = ()
    quarto: tuple[QuartoInstallation, ...] = ()
    policy: Policy = Policy.nearest


NOTHING = Beside()
