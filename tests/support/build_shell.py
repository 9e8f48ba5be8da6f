"""A shell that runs nothing: it records what it was asked and does what installers leave behind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from packaging.version import Version

from rostra.runtimes.model import Runtime


def runtime_of(executable: Path | str = sys.executable, version: str = "3.11.7", identity: str = "test") -> Runtime:
    """A runtime as the probe would give it, as far as environments care."""
    path = Path(executable)
    major, minor = version.split(".")[:2]
    return Runtime(
        version=Version(version),
        executable=path,
        target=path.resolve(),
        cache_tag=f"cpython-{major}{minor}",
        platform="linux-x86_64",
        prefixes=(path.parent.parent,),
        identity=f"{identity}:{path}:{version}",
    )


@dataclass(frozen=True)
class Ran:
    argv: tuple[str, ...]
    env: Mapping[str, str]
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    network: bool

    @property
    def step(self) -> str:
        """``venv``, ``install``, ``compile`` (hashes) or the program's name."""
        return next((word for word in ("venv", "install", "compile") if word in self.argv), self.argv[0])


@dataclass
class FakeShell:
    """``answers`` gives (exit status, lines) for a step, taken in turn; without one the step succeeds."""

    ran: list[Ran] = field(default_factory=list)
    answers: dict[str, list[tuple[int, list[str]]]] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    started: dict[str, asyncio.Event] = field(default_factory=dict)

    def steps(self) -> list[str]:
        return [one.step for one in self.ran if one.step in ("venv", "install", "compile")]

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],
        writable: Sequence[Path],
        network: bool,
        timeout: timedelta,
        on_line: Callable[[str], None],
    ) -> int:
        one = Ran(tuple(argv), dict(env), tuple(readable), tuple(writable), network)
        self.ran.append(one)
        if one.step in self.started:
            self.started[one.step].set()
        if one.step in self.hold:
            await self.hold[one.step].wait()
        answer = self.answers.get(one.step)
        code, lines = answer.pop(0) if answer else (0, [])
        for line in lines:
            on_line(line)
        if code == 0:
            self._do(one, on_line)
        return code

    def _do(self, one: Ran, on_line: Callable[[str], None]) -> None:
        if one.step == "venv":
            env = Path(one.argv[-1])
            (env / "bin").mkdir(parents=True)
            (env / "bin" / "python").symlink_to(sys.executable)
            (env / "pyvenv.cfg").write_text(f"home = /usr/bin\ncommand = {env}\n")
            (env / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        elif one.step == "install":
            requirements = Path(one.argv[one.argv.index("-r") + 1])
            for line in requirements.read_text().splitlines():
                if "==" in line and not line.startswith("-"):
                    self._install(requirements.parent / "box" / "env", line.split(" ")[0], on_line)
        elif one.step == "compile":
            for line in Path(one.argv[-1]).read_text().splitlines():
                on_line(f"{line} \\")
                on_line(f"    --hash=sha256:{'a' * 64}")

    def _install(self, env: Path, pin: str, on_line: Callable[[str], None]) -> None:
        name, version = pin.split("==")
        site = env / "lib" / "python3.11" / "site-packages"
        record = site / f"{name}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (site / f"{name}.py").write_text("x = 1\n")
        (record / "RECORD").write_text(f"{name}.py,,\n")
        on_line(f" + {name}=={version}")
