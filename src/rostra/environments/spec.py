"""What an environment is made from, and what it is when ready. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rostra.runtimes.model import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """The inputs of one environment.

    ``requirements`` is the text of the bundle's requirements file, already decoded (None: the bundle has none).
    ``requirements_file`` is its path in the bundle: messages name it, files it names in turn are looked for beside it.
    ``bundle_dir`` is where relative references in it (``-e .``, ``./wheels/x.whl``) point; it is read-only and takes
    part in the key only when the requirements refer to it.
    ``additions`` are requirements the server itself needs in it (ipykernel for notebooks), added only when absent.
    ``allow_uv`` is the bundle's wish: True may use uv, False must not, None lets the server decide.
    ``managed`` False means: use the interpreter as it stands, install nothing.
    ``pins`` are versions (``name==version``) to take where the requirements leave a choice. They are not part of the
    key: whoever asks for the same later gets what was chosen then, as always.
    """

    runtime: Runtime
    requirements: str | None
    bundle_dir: Path
    requirements_file: str = "requirements.txt"
    additions: tuple[str, ...] = ()
    allow_uv: bool | None = None
    managed: bool = True
    pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One installed package; ``name`` is normalised (lower case, single hyphens)."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A ready environment: immutable, read-only, shared by every item with the same key.

    ``python`` is the executable to run. ``root`` is the folder (None when not managed: the interpreter itself is used).
    ``lock`` is the text of what was really installed, pinned, with hashes where the installer knows them.
    ``links`` are folders outside of ``root`` that links in it lead to.
    ``packages`` is the same as values, sorted by name. ``installer`` is ``uv`` or ``pip`` (empty when not managed).
    """

    key: str
    runtime: Runtime
    python: Path
    root: Path | None
    lock: str
    packages: tuple[Package, ...] = ()
    installer: str = ""
    links: tuple[Path, ...] = ()

    @property
    def mounts(self) -> tuple[Path, ...]:
        """What a sandbox must show, read-only, for ``python`` to start."""
        return (*self.runtime.prefixes, *((self.root,) if self.root else ()), *self.links)
