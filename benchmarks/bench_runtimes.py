"""P14: looking at interpreters, against uv and findpython. P15: the match decision, against filtering a list."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from benchmarks.harness import Row, interleaved, per_call, rounds, row
from rostra.runtimes.discover import discover
from rostra.runtimes.matching import choose
from rostra.runtimes.model import Policy, Request, Runtime
from rostra.runtimes.probe import probe

NAME = "runtimes"
_WANTED = 9
_TIMEOUT = dt.timedelta(seconds=10)


def run(quick: bool) -> list[Row]:
    """Return the findings for P14 and P15."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_inspection(rounds(quick), Path(folder)), *_decision(rounds(quick))]


def _inspection(repeats: int, folder: Path) -> list[Row]:
    paths = _interpreters(folder)
    memory = folder / "memory.json"
    asyncio.run(probe(paths, timeout=_TIMEOUT, memory=memory))
    subjects: dict[str, Callable[[], object]] = {
        "ours": lambda: asyncio.run(probe(paths, timeout=_TIMEOUT, memory=None)),
        **_peers(folder),
    }
    seconds = interleaved(subjects, repeats)
    # Inside one event loop, as in the server: making a loop costs more than remembering.
    remembered = asyncio.run(_remembered(paths, memory, repeats))
    ours = seconds.pop("ours")
    what = f"{len(paths)} interpreters inspected"
    size = {"unit": "ms", "target": "<= 400 ms", "met": ours <= 0.4}
    rows = [
        row("P14", f"{what}, against {peer}", ours=ours * 1e3, peer=theirs * 1e3, **size)
        for peer, theirs in seconds.items()
    ] or [row("P14", what, ours=ours * 1e3, peer=None, **size)]
    fastest = min(seconds.values(), default=ours)
    return [
        *rows,
        row(
            "P14",
            f"{len(paths)} interpreters remembered, against the fastest of these",
            ours=remembered * 1e3,
            peer=fastest * 1e3,
            unit="ms",
            target="<= 2 ms",
            met=remembered <= 0.002,
        ),
    ]


async def _remembered(paths: list[Path], memory: Path, repeats: int) -> float:
    taken = []
    for _ in range(repeats * 3):
        started = time.perf_counter()
        await probe(paths, timeout=_TIMEOUT, memory=memory)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _interpreters(folder: Path) -> list[Path]:
    """Return nine paths: the interpreters of this machine, filled up with links to them when there are fewer."""
    found = list(discover(os.environ))[:_WANTED]
    for number in range(_WANTED - len(found)):
        link = folder / f"again{number}"
        link.symlink_to(found[number % len(found)])
        found.append(link)
    return found


def _peers(folder: Path) -> dict[str, Callable[[], object]]:
    peers: dict[str, Callable[[], object]] = {}
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}") or shutil.which("uv")
    if uv:
        listing = (uv, "python", "list", "--offline", "--only-installed", "--no-cache")
        peers["uv python list"] = lambda: subprocess.run(listing, capture_output=True, check=True, cwd=folder)
    if importlib.util.find_spec("findpython"):
        code = "import findpython\nfor each in findpython.find_all():\n    each.version"
        peers["findpython"] = lambda: subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return peers


def _decision(repeats: int) -> list[Row]:
    installed = _fifty()
    cases = {
        "a version": (Request(Version("3.9.15")), SpecifierSet("~=3.9.15")),
        "a range": (Request(None, SpecifierSet(">=3.9,<3.12")), SpecifierSet(">=3.9,<3.12")),
        "a version and a range": (Request(Version("3.9.3"), SpecifierSet(">=3.9,<3.12")), SpecifierSet(">=3.9,<3.12")),
    }
    return [_decided(name, request, plain, installed, repeats) for name, (request, plain) in cases.items()]


def _decided(name: str, request: Request, plain: SpecifierSet, installed: list[Runtime], repeats: int) -> Row:
    def ours() -> object:
        return choose(request, Policy.major_minor, installed)

    def theirs() -> object:
        return max(plain.filter([each.version for each in installed]), default=None)

    taken = [(per_call(ours), per_call(theirs)) for _ in range(repeats)]
    mine, naive = (sorted(column)[repeats // 2] for column in zip(*taken, strict=True))
    return row(
        "P15",
        f"match {name} among 50, against SpecifierSet.filter",
        ours=mine * 1e6,
        peer=naive * 1e6,
        unit="us",
        target="<= 20 us",
        met=mine <= 20e-6,
    )


def _fifty() -> list[Runtime]:
    versions = [Version(f"3.{minor}.{patch}") for minor in range(8, 13) for patch in range(10)]
    return [Runtime(version=each, executable=Path(f"/opt/python/{each}"), target=Path("/x")) for each in versions]
