"""The place one environment is built in, and the only way programs are run there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import uv as uv_package

from rostra.environments.folders import give
from rostra.environments.index import IndexSettings, mask
from rostra.environments.shell import BuildShell
from rostra.runtimes.model import Runtime

Say = Callable[[str], None]
_REMEMBERED = 2_000  # last lines of an installer, enough for every traceback seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every build uses. Environments, caches and bytecode share ``data_dir``: one file system, so links work."""

    shell: BuildShell
    data_dir: Path
    index: IndexSettings = field(default_factory=IndexSettings)
    build_timeout: timedelta = timedelta(minutes=30)
    uv: Path = field(default_factory=lambda: Path(uv_package.find_uv_bin()))
    workers: int = 2  # processes that compile at the same time

    @property
    def yard(self) -> Path:
        """Where environments are built, together with the shared caches.

        One folder, because a sandbox shows each folder as a mount, and there are no hard links between two of them.
        """
        return self.data_dir / "cache" / "uv"

    @property
    def uv_cache(self) -> Path:
        return self.yard / "shared"

    @property
    def pip_cache(self) -> Path:
        return self.yard / "pip"

    @property
    def bytecode(self) -> Path:
        return self.data_dir / "bytecode"


@dataclass(slots=True, kw_only=True)
class Site:
    """One scratch place. Foreign code may write in ``box`` and nowhere else; the server's own files lie beside it."""

    tools: Tools
    runtime: Runtime
    root: Path
    say: Say
    index: IndexSettings
    ends_at: float  # on the event loop's clock
    private: bool = False  # foreign code runs: nothing shared is shown writable
    asked: frozenset[str] = frozenset()  # normalised names the requirements ask for
    installed: set[str] = field(default_factory=set)  # "name==version" as the installer told it
    written: tuple[str, ...] = ()  # the lines of requirements.txt, as the installer counts them

    @property
    def box(self) -> Path:
        return self.root / "box"

    @property
    def env(self) -> Path:
        return self.box / "env"

    @property
    def python(self) -> Path:
        return self.env / "bin" / "python"

    @property
    def parts(self) -> Path:
        return self.box / "parts"

    def prepare(self) -> None:
        for name in ("home", "tmp", "cache", "parts"):
            (self.box / name).mkdir(parents=True, exist_ok=True)

    def cache(self, shared: Path) -> Path:
        """Return the cache an installer may write: the shared one only while no foreign code runs."""
        if not self.private and not shared.is_dir():
            shared.mkdir(parents=True, exist_ok=True)
            give(shared, like=self.tools.yard)
        return self.box / "cache" if self.private else shared

    def variables(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.box / "home"),
            "TMPDIR": str(self.box / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def plain(self, line: str) -> str:
        """Return an installer's line without credentials and scratch paths: nobody but us knows those places."""
        line = mask(line)
        for root in dict.fromkeys((str(self.root), str(self.root.resolve()))):
            if root in line:
                line = line.replace(f"-r {root}/requirements.txt", f"{root}/requirements.txt")
                line = re.sub(rf"{re.escape(root)}/requirements\.txt \(line (\d+)\)", self._numbered, line)
                parts = f"{root}/{self.parts.relative_to(self.root)}"
                line = line.replace(f"file://{parts}", parts).replace(f"{parts}/", "./").replace(parts, ".")
                line = line.replace(f"{root}/", "")
        return line

    def _numbered(self, found: re.Match[str]) -> str:
        number = int(found[1])
        return self.written[number - 1] if 0 < number <= len(self.written) else "the requirements"

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        network: bool,
        writable: Sequence[Path] | None = None,
        readable: Sequence[Path] = (),
        on_line: Say | None = None,
    ) -> tuple[int, list[str]]:
        """Run a program for this build; return its exit status and its last lines, in the author's terms.

        ``writable`` None is what installers may write: all caches and places while no foreign code runs, else the box.
        """
        lines: list[str] = []

        def hear(line: str) -> None:
            told = self.plain(line)
            lines.append(told)
            del lines[:-_REMEMBERED]
            (on_line or self.say)(told)

        runtime = self.runtime
        place = (self.root,) if self.private else ()  # else it is part of what is writable
        shown = (*runtime.prefixes, runtime.executable, runtime.target, *place, *readable, *self.index.folders)
        usual = (self.box,) if self.private else (self.tools.yard,)
        code = await self.tools.shell.run(
            argv,
            env={**self.variables(), **env},
            cwd=self.box,
            readable=tuple(dict.fromkeys(shown)),
            writable=usual if writable is None else tuple(writable),
            network=network,
            timeout=timedelta(seconds=max(1.0, self.ends_at - asyncio.get_running_loop().time())),
            on_line=hear,
        )
        return code, lines


def silent(line: str) -> None:
    """Hear a line and tell nobody."""
