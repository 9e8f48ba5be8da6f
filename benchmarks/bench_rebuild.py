"""What visitors of warm content notice while environments are rebuilt ahead of time, as many at once as may be.

The packages are built from source and keep two processors busy each, as a compiler does. The same visits are made
before, during the rebuild, and while the very same work is done by ordinary processes beside the server, in turns.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.harness import Row, row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import interpreters
from support.direct import Direct, new_item, source
from support.server import BIN, Server, running_server

NAME = "rebuild"
VISITORS, PAUSE = 2, 0.02  # seconds between an answer and the next request
ITEMS, PARALLEL, AT_ONCE = 4, 4, 2  # AT_ONCE is Applications.BuildConcurrency as it comes
WORK = """
import hashlib, sys, time
block, ends, count = b"x" * 1_000_000, float(sys.argv[1]), 0
while time.process_time() < ends:
    hashlib.sha256(block).digest()
"""
SETUP = """
import subprocess, sys
work = [subprocess.Popen([sys.executable, "work.py", "{seconds}"]) for _ in range(2)]
assert not any(one.wait() for one in work)
from setuptools import setup
setup(name="busy-{number}", version="1", py_modules=[])
"""


@dataclass
class Visits:
    """Seconds of each answer."""

    taken: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.taken)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.taken, n=100)[98]


def run(quick: bool) -> list[Row]:
    """Return findings for one server; what is rebuilt is on another Python than what is visited."""
    older, newer = interpreters.minor("3.11"), interpreters.minor("3.13")
    if older is None or newer is None:
        raise RuntimeError("needs Python 3.11 and 3.13")
    seconds = 1.0 if quick else 4.0
    with (
        tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder,
        running_server(Path(folder), [older, newer]) as server,
    ):
        warm = new_item(server)
        warm.deploy(python=_asks("3.13."))
        for number in range(ITEMS):
            setup = SETUP.format(number=number, seconds=seconds)
            files = {"app.py": source(), "part/setup.py": setup, "part/work.py": WORK, "requirements.txt": "./part\n"}
            new_item(server).deploy(files, python=_asks("3.11."))
        quiet, rebuilding, beside = Visits(), Visits(), Visits()
        for _ in range(2 if quick else 3):
            forget(server)
            visit(warm, quiet, lambda: time.sleep(3 * seconds))
            visit(warm, rebuilding, lambda: rebuild(server))
            visit(warm, beside, lambda: work(older, seconds))
    ordinary = "the same work done by ordinary processes"
    return [*rows(f"rebuild --parallel {PARALLEL}", rebuilding, quiet), *rows(ordinary, beside, quiet, None)]


def _asks(series: str) -> dict[str, object]:
    version = next(each for each in interpreters.installed() if each.startswith(series))
    return {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}


def rows(what: str, found: Visits, quiet: Visits, target: float | None = 2.0) -> list[Row]:
    told = {"median": (found.median, quiet.median), "p99": (found.p99, quiet.p99)}
    return [
        row(
            "-",
            f"a visit's {name} during {what} / with nothing to do",
            ours=ours,
            peer=peer,
            unit="s",
            target=f"<= {target}" if target else "for comparison",
            met=ours <= target * peer if target else None,
        )
        for name, (ours, peer) in told.items()
    ]


def visit(item: Direct, into: Visits, meanwhile: Callable[[], None]) -> None:
    """Let visitors come all the time until ``meanwhile`` has ended."""
    done = threading.Event()
    visitors = [threading.Thread(target=_visitor, args=(item, into, done)) for _ in range(VISITORS)]
    for one in visitors:
        one.start()
    try:
        meanwhile()
    finally:
        done.set()
        for one in visitors:
            one.join()


def _visitor(item: Direct, into: Visits, done: threading.Event) -> None:
    address = urlsplit(item.server.url)
    held = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    while not done.is_set():
        begun = time.perf_counter()
        held.request("GET", item.path)
        answer = held.getresponse()
        answer.read()
        into.taken.append(time.perf_counter() - begun)
        if answer.status != 200:
            raise RuntimeError(f"a visit was answered {answer.status}")
        time.sleep(PAUSE)
    held.close()


def forget(server: Server) -> None:
    for cache in server.ask("/__api__/v1/system/caches/runtime")["caches"]:
        if cache["version"].startswith("3.11."):
            task = server.ask("/__api__/v1/system/caches/runtime", "DELETE", {**cache, "dry_run": False})
            server.wait_for(task["task_id"])


def rebuild(server: Server) -> None:
    command = [BIN / "rostra", "environments", "rebuild", "--parallel", str(PARALLEL), "--config", server.config]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if done.stdout.count(": built") != ITEMS:
        raise RuntimeError(done.stdout)


def work(python: Path, seconds: float) -> None:
    """Do what the builds do, as many at once, at the priority of everybody."""
    command = [str(python), "-c", WORK, str(seconds)]
    for _ in range(ITEMS // AT_ONCE):
        running = [subprocess.Popen(command) for _ in range(2 * AT_ONCE)]
        for one in running:
            one.wait()
