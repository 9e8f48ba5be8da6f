"""Content that takes all it can get: other content and the server go on, and it can be ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from support.direct import Background, Direct, new_item, source
from support.server import Server, running_server
from support.watching import alive, processes_of, until, within

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.xdist_group("server")]

LOG_BYTES = 200_000
HOSTILE = """
import threading, signal

def flood():
    line = b"x" * 4000 + b"\\n"
    while True:
        os.write(1, line)

def hog():
    kept = []
    while True:
        kept.append(bytearray(10_000_000))

def bomb():
    while True:
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            time.sleep(0.01)

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        while True:
            time.sleep(1)

plain = app

async def app(scope, receive, send):
    name = scope.get("path", "").rstrip("/").rpartition("/")[2]
    if name in ("flood", "hog", "bomb"):
        threading.Thread(target=globals()[name], daemon=True).start()
    if name == "stubborn":
        stubborn()
    return await plain(scope, receive, send)
"""


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    more = f"[Applications]\nJobLogSize = {LOG_BYTES}\n"
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)], more) as started:
        yield started


@pytest.fixture(scope="module")
def bystander(server: Server) -> Direct:
    item = new_item(server)
    item.deploy()
    return item


@pytest.fixture
def hostile(server: Server) -> Iterator[Direct]:
    item = new_item(server, memory_limit=200_000_000, cpu_limit=0.5)
    item.deploy({"app.py": source(more=HOSTILE)})
    yield item
    server.get(item.api, method="DELETE")
    until(lambda: not processes_of(server, item.guid), within(20), "it does not end")


def below(pids: Iterable[int]) -> set[int]:
    """Return every process that descends from ``pids``, these included."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def goes_on(server: Server, bystander: Direct) -> None:
    for _ in range(5):
        assert bystander.get().status == 200
        assert server.get("/__ping__").status == 200


def test_a_flood_of_log_lines_stays_within_its_bound(server: Server, bystander: Direct, hostile: Direct) -> None:
    job = hostile.told("flood")["job"]
    path = server.data_dir / "jobs" / hostile.guid / f"{job}.log"
    until(lambda: path.stat().st_size > LOG_BYTES / 3, within(10), "nothing is written")
    goes_on(server, bystander)
    assert sum(part.stat().st_size for part in path.parent.glob(path.name + "*")) <= LOG_BYTES
    assert hostile.get().status == 200


def test_who_takes_all_memory_is_ended_alone(server: Server, bystander: Direct, hostile: Direct) -> None:
    job = hostile.told()["job"]
    Background(hostile, "hog")
    until(lambda: any(one["key"] == job and one["end_time"] for one in hostile.jobs()), within(30), "it goes on")
    goes_on(server, bystander)
    until(lambda: hostile.get().status == 200, within(30), "it does not come back")


def test_a_fork_bomb_takes_its_own_places_only(server: Server, bystander: Direct, hostile: Direct) -> None:
    Background(hostile, "bomb")
    until(lambda: len(below(processes_of(server, hostile.guid))) > 100, within(20), "it does not fork")
    goes_on(server, bystander)
    assert len(below(processes_of(server, hostile.guid))) < 1100


def test_who_ignores_the_signal_to_end_is_ended(server: Server, bystander: Direct, hostile: Direct) -> None:
    hostile.told("stubborn")
    inside = below(processes_of(server, hostile.guid))
    job = hostile.told()["job"]
    begun = time.monotonic()
    assert server.get(f"{hostile.api}/jobs/{job}", method="DELETE").status < 300
    until(lambda: not alive(inside), within(15), "it goes on")
    assert time.monotonic() - begun < within(15)
    goes_on(server, bystander)
