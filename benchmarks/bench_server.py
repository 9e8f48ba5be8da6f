"""P13 and P18: how much an idle server needs, how soon it is ready with many items, and how soon control is back.

Memory is the proportional set size, so that what processes share is counted once. The peer is JupyterHub with its
proxy, empty, when it is here. The return of control is compared with what a bare interpreter needs to load the
libraries that every such server stands on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
import websockets.exceptions
import websockets.sync.client

from benchmarks.harness import Row, rounds, row
from rostra.auth.tables import User
from rostra.config.load import load
from rostra.content.tables import Item
from rostra.db.engine import open_engine
from rostra.ids import new_guid
from rostra.server.children import STEADY_SECONDS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import interpreters
from support.direct import Direct, new_item
from support.server import Server, running_server

from benchmarks import peer_jupyterhub

NAME = "server"
ITEMS, PEOPLE = 10_000, 5_000


def run(quick: bool) -> list[Row]:
    """Return findings for one server that is started again and again."""
    python = interpreters.minor("3.11") or Path(sys.executable)
    with (
        tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder,
        running_server(Path(folder), [python]) as server,
    ):
        server.stop()
        asyncio.run(fill(server))
        found = starts(server, rounds(quick))
        time.sleep(2)  # what start-up needed is given back
        memory = sum(proportional_mb(pid) for pid in server.children().values())
        item = new_item(server)
        item.deploy()
        return [*idle(memory, found), *killed(interrupted(item, rounds(quick)))]


class Starts(NamedTuple):
    """Seconds until each answers; None, and no memory, when the peer is not here."""

    ours: float
    peer: float | None
    peer_mb: float | None


class Interrupted(NamedTuple):
    """``back`` and ``bare`` are seconds: until control answers again, and a bare interpreter's loading."""

    back: float
    bare: float
    failed: int
    dropped: int


def idle(memory: float, found: Starts) -> list[Row]:
    peer = "JupyterHub and its proxy, empty" if found.peer else "JupyterHub is not here"
    people = f"{ITEMS:,} items and {PEOPLE:,} people"
    return [
        row(
            "P13",
            f"idle server, its three processes; peer: {peer}",
            ours=memory,
            peer=found.peer_mb,
            unit="MB",
            target="<= 120 MB",
            met=memory <= 120,
        ),
        row(
            "P13",
            f"ready with {people}; peer: {peer}",
            ours=found.ours,
            peer=found.peer,
            unit="s",
            target="<= 1 s",
            met=found.ours <= 1,
        ),
    ]


def killed(found: Interrupted) -> list[Row]:
    return [
        row(
            "P18",
            "control answers again after kill -9; peer: loading FastAPI and SQLAlchemy alone",
            ours=found.back,
            peer=found.bare,
            unit="s",
            target="<= 1 s",
            met=found.back <= 1,
        ),
        row(
            "P18",
            "requests to content that failed meanwhile",
            ours=found.failed,
            peer=None,
            unit="requests",
            target="0",
            met=found.failed == 0,
        ),
        row(
            "P18",
            "open WebSockets that were dropped",
            ours=found.dropped,
            peer=None,
            unit="WebSockets",
            target="0",
            met=found.dropped == 0,
        ),
    ]


def starts(server: Server, times: int) -> Starts:
    """Start ours and the peer in turns, and take the medians. Ours runs when this returns."""
    ours, theirs, memory = [], [], 0.0
    for _ in range(times):
        if peer_jupyterhub.is_here():
            with tempfile.TemporaryDirectory(prefix="hub-") as folder, peer_jupyterhub.idle(Path(folder)) as hub:
                theirs.append(hub.seconds)
                memory = sum(proportional_mb(pid) for pid in hub.pids)
        ours.append(started(server))
    return Starts(statistics.median(ours), statistics.median(theirs) if theirs else None, memory or None)


def started(server: Server) -> float:
    """Start the server, again when it runs; return the seconds until it answers."""
    server.stop()
    begun = time.monotonic()
    server.start()
    return time.monotonic() - begun


def interrupted(item: Direct, times: int) -> Interrupted:
    """Kill control again and again while content is used."""
    assert item.get().status == 200
    backs, bares, dropped, visitor = [], [], 0, Visitor(item)
    address = item.server.url.replace("http", "ws") + item.path + "echo"
    with websockets.sync.client.connect(address, proxy=None) as socket:
        for number in range(times):
            time.sleep(STEADY_SECONDS + 1)  # what ends sooner is started again with a growing pause, on purpose
            backs.append(control_back(item.server))
            bares.append(loading_alone())
            try:
                socket.send(str(number))
                socket.recv(timeout=5)
            except (websockets.exceptions.WebSocketException, TimeoutError):
                dropped = 1
                break
    return Interrupted(statistics.median(backs), statistics.median(bares), visitor.stop(), dropped)


def control_back(server: Server) -> float:
    os.kill(server.children()["control"], signal.SIGKILL)
    begun = time.monotonic()
    while server.get("/__api__/v1/user").status != 200:
        time.sleep(0.01)
    return time.monotonic() - begun


def loading_alone() -> float:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", "import fastapi, sqlalchemy.ext.asyncio"], check=True)
    return time.monotonic() - begun


class Visitor(threading.Thread):
    """Asks for content ten times a second and counts what goes wrong."""

    def __init__(self, item: Direct) -> None:
        super().__init__(daemon=True)
        self._item, self._failed, self._stopped = item, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            try:
                self._failed += self._item.get().status != 200
            except OSError:
                self._failed += 1

    def stop(self) -> int:
        self._stopped.set()
        self.join()
        return self._failed


def proportional_mb(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


async def fill(server: Server) -> None:
    engine = open_engine(load(server.config, {}).settings)
    now = dt.datetime.now(dt.UTC)
    async with engine.begin() as connection:
        people = [
            {"guid": new_guid(), "username": f"person{number}", "role": "viewer", "created_at": now, "updated_at": now}
            for number in range(PEOPLE)
        ]
        await connection.execute(sa.insert(User), people)
        things = [
            {"guid": new_guid(), "owner_id": 1, "name": f"item{number}", "created_at": now, "updated_at": now}
            for number in range(ITEMS)
        ]
        await connection.execute(sa.insert(Item), things)
    await engine.dispose()
