"""P13 and P18: how much an idle server needs, how soon it is ready with many items, and how soon control is back.

Memory is the proportional set size, so that what the processes share is counted once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.harness import Row, rounds, row
from rostra.auth.tables import User
from rostra.config.load import load
from rostra.content.tables import Item
from rostra.db.engine import open_engine
from rostra.ids import new_guid

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import interpreters
from support.server import Server, running_server

NAME = "server"
ITEMS, PEOPLE = 10_000, 5_000


def run(quick: bool) -> list[Row]:
    """Return findings for one server that is started again and again."""
    python = interpreters.minor("3.11") or Path(sys.executable)
    with (
        tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder,
        running_server(Path(folder), [python]) as server,
    ):
        empty = statistics.median(started(server) for _ in range(rounds(quick)))
        server.stop()
        asyncio.run(fill(server))
        full = statistics.median(started(server) for _ in range(rounds(quick)))
        time.sleep(2)  # what start-up needed is given back
        memory = sum(proportional_mb(pid) for pid in server.children().values())
        back = statistics.median(control_back(server) for _ in range(rounds(quick)))
    people = f"{ITEMS:,} items and {PEOPLE:,} people"
    return [
        row(
            "P13",
            "idle server, its three processes",
            ours=memory,
            peer=None,
            unit="MB",
            target="<= 120 MB",
            met=memory <= 120,
        ),
        row(
            "P13", f"ready with {people}; peer: empty", ours=full, peer=empty, unit="s", target="<= 1 s", met=full <= 1
        ),
        row(
            "P18", "control answers again after kill -9", ours=back, peer=None, unit="s", target="<= 1 s", met=back <= 1
        ),
    ]


def started(server: Server) -> float:
    """Start the server again; return the seconds until it answers."""
    server.stop()
    begun = time.monotonic()
    server.start()
    return time.monotonic() - begun


def control_back(server: Server) -> float:
    os.kill(server.children()["control"], signal.SIGKILL)
    begun = time.monotonic()
    while server.get("/__api__/v1/user").status != 200:
        time.sleep(0.01)
    return time.monotonic() - begun


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
