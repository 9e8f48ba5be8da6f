"""P2 and P1: environments until they can serve, against uv and against venv with pip, from one folder of wheels.

Nobody goes to the network: the wheels lie in a folder, so that what is compared is unpacking, linking and compiling.
"New" means nothing of them was ever seen, and what is measured is the time until the packages have been imported for
the first time, in a process that may not write bytecode, because content may not. "Known" means that they were
installed before, and what is measured is the time until the environment is ready: ours has bytecode then, uv's has not.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from benchmarks.harness import Row, interleaved, rounds, row
from rostra.environments.index import IndexSettings, of_machine
from rostra.environments.shell import PlainShell
from rostra.environments.site import Tools
from rostra.environments.spec import EnvironmentSpec
from rostra.environments.store import Store
from rostra.runtimes.model import Runtime

NAME = "environments"
_STACKS = {"Flask": ("flask", "flask"), "Dash and pandas": ("dash pandas", "dash, pandas")}


def run(quick: bool) -> list[Row]:
    """Return findings for each stack; the network is used once, to fetch its wheels."""
    found: list[Row] = []
    for stack, (packages, imports) in _STACKS.items():
        with tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder:
            place = _Place(Path(folder), packages.split(), imports)
            found += _rows(stack, place, quick)
    return found


def _rows(stack: str, place: _Place, quick: bool) -> list[Row]:
    new = interleaved({"ours": place.ours_new, "uv": place.uv_new}, rounds(quick))
    place.warm()
    subjects: dict[str, Callable[[], object]] = {"ours": place.ours_known, "uv": place.uv_known}
    known = interleaved(subjects, rounds(quick))
    pip = interleaved({"pip": place.pip_known}, 1 if quick else 3)["pip"]
    count = len(place.lock.read_text().splitlines())
    what = f"{stack} ({count} packages)"
    ours, theirs = new["ours"], new["uv"]
    return [
        row("P2", f"{what}: wheels new, until imported, / uv", ours=ours, peer=theirs, unit="s", target="<= 1.15",
            met=ours <= 1.15 * theirs),
        row("P1", f"{what}: wheels known, ready", ours=known["ours"], peer=None, unit="s", target="<= 0.03",
            met=known["ours"] <= 0.03),
        row("P1", f"{what}: wheels known, ready, / uv without bytecode", ours=known["ours"], peer=known["uv"], unit="s",
            target="<= 0.02", met=known["ours"] <= 0.02 * known["uv"]),
        row("P1", f"{what}: wheels known, ready, / venv + pip with bytecode", ours=known["ours"], peer=pip, unit="s",
            target="<= 0.001", met=known["ours"] <= 0.001 * pip),
    ]  # fmt: skip


class _Place:
    """A folder of wheels, a lock of them, and the ways to make an environment from it."""

    def __init__(self, root: Path, packages: list[str], imports: str) -> None:
        self.root, self.imports = root, imports
        self.wheels, self.lock = root / "wheels", root / "lock.txt"
        self.count = itertools.count()
        machine = of_machine(os.environ, home=Path.home())
        self.tools = Tools(shell=PlainShell(), data_dir=root / "known", index=machine)
        self.python = Path(getattr(sys, "_base_executable", sys.executable))
        self._fetch(packages)
        self.index = IndexSettings(no_index=True, find_links=(str(self.wheels),))
        self.runtime = _runtime(self.python)

    def _fetch(self, packages: list[str]) -> None:
        env = {**os.environ, **self.tools.index.pip_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._call(
            [self.python, "-m", "pip", "download", "-q", "--only-binary", ":all:", "-d", self.wheels, *packages], env
        )
        names = sorted(path.name.split("-")[:2] for path in self.wheels.glob("*.whl"))
        self.lock.write_text("".join(f"{name}=={version}\n" for name, version in names))

    def _call(self, argv: list[object], env: dict[str, str] | None = None) -> None:
        subprocess.run([str(word) for word in argv], check=True, env=env, stdout=subprocess.DEVNULL, cwd=self.root)

    def _first_answer(self, python: Path) -> None:
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._call([python, "-c", f"import {self.imports}"], env)

    def _fresh(self) -> Path:
        return self.root / f"try-{next(self.count)}"

    def _store(self, data_dir: Path, folder: Path | None = None) -> Store:
        return Store(replace(self.tools, data_dir=data_dir, index=self.index), folder=folder)

    @property
    def _spec(self) -> EnvironmentSpec:
        return EnvironmentSpec(runtime=self.runtime, requirements=self.lock.read_text(), bundle_dir=self.root)

    def ours_new(self) -> None:
        with _folder(self._fresh()) as fresh:
            self._first_answer(asyncio.run(self._store(fresh).ensure(self._spec, lambda _: None)).python)

    def ours_known(self) -> None:
        """Another environment of the same packages; left where it is, so that its removal is not counted."""
        store = self._store(self.root / "known", self.root / "known" / f"made-{next(self.count)}")
        asyncio.run(store.ensure(self._spec, lambda _: None))

    def _uv(self, cache: Path, place: Path) -> Path:
        env = {**os.environ, "UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1", "UV_LINK_MODE": "hardlink"}
        uv, python = self.tools.uv, place / "env/bin/python"
        self._call([uv, "venv", "-q", "--no-project", "--python", self.python, place / "env"], env)
        index = ["--no-index", "--find-links", self.wheels]
        self._call([uv, "pip", "sync", "-q", *index, "--python", python, self.lock], env)
        return python

    def uv_new(self) -> None:
        with _folder(self._fresh()) as fresh:
            self._first_answer(self._uv(fresh / "cache", fresh))

    def uv_known(self) -> None:
        self._uv(self.root / "uv-cache", self._fresh())

    def pip_known(self) -> None:
        place = self._fresh()
        env = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
        self._call([self.python, "-m", "venv", place / "env"], env)
        install = ["-m", "pip", "install", "-q", "--no-index", "--find-links", self.wheels, "-r", self.lock]
        self._call([place / "env/bin/python", *install], env)

    def warm(self) -> None:
        """Install everything once, so that nothing is new any more."""

        async def once() -> None:
            store = self._store(self.root / "known")
            await store.ensure(self._spec, lambda _: None)
            await store.settled()

        asyncio.run(once())
        self.uv_known()


class _folder:  # noqa: N801  # reads as what it is: with a folder
    """A folder for the length of a block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        self.path.mkdir()
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@functools.cache
def _runtime(python: Path) -> Runtime:
    version = ".".join(map(str, sys.version_info[:3]))
    return Runtime(
        version=Version(version),
        executable=python,
        target=python.resolve(),
        cache_tag=str(sys.implementation.cache_tag),
        prefixes=(Path(sys.base_prefix),),
        identity=f"bench:{python}:{version}",
    )
