"""Two hundred schedules that are due at once: how long until all are rendered, and what a visitor notices of it.

A real server with its default settings. The peer for the drain is the nbconvert command, two at a time, timed on a few
documents of the same run and counted up; the peer for the visitor is the same server with nothing to render.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks import bench_rendering
from benchmarks.harness import Row, row
from rostra.ids import new_guid, new_key

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import interpreters
from support.direct import Direct, new_item
from support.server import Server, running_server

NAME = "schedules"
VISIT_EVERY = 0.02
ALONE_SECONDS = 5.0
MOST_SECONDS = 10.0  # a document may take; whoever waits for more waits for nothing
AT_ONCE = 2  # Applications.ScheduleConcurrency


def run(quick: bool) -> list[Row]:
    count = 20 if quick else 200
    python = interpreters.minor("3.11") or Path(sys.executable)
    with (
        tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder,
        running_server(Path(folder), [python]) as server,
    ):
        bystander, document = new_item(server), new_item(server)
        bystander.deploy()
        told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
        document.deploy({"report.ipynb": bench_rendering._notebook(), "requirements.txt": "ipykernel\n"}, metadata=told)
        server.stop()
        due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
        copies(server, document, count, due)
        server.start()
        bystander.get()
        alone = visits(bystander, time.monotonic() + ALONE_SECONDS)
        time.sleep(max(0.0, (due - dt.datetime.now(dt.UTC)).total_seconds()))
        begun = time.monotonic()
        beside = asyncio.run(until_drained(server, bystander, count))
        took = time.monotonic() - begun
        failed = unsuccessful(server)
        server.stop()
        by_hand = commands(Path(folder), 3 if quick else 6) * count
    return rows(count, took, by_hand, failed, {"alone": alone, "beside": beside})


def rows(count: int, took: float, by_hand: float, failed: int, seen: Mapping[str, list[float]]) -> list[Row]:
    alone, beside = (percentile(seen[name], 0.99) for name in ("alone", "beside"))
    return [
        row(
            "",
            f"{count} documents due at once, all rendered ({failed} failed), against nbconvert {AT_ONCE} at a time",
            ours=took,
            peer=by_hand,
            unit="s",
            target="<= 0.5",
            met=failed == 0 and took <= by_hand * 0.5,
        ),
        row(
            "",
            f"a visitor's p99 meanwhile ({len(seen['beside'])} visits), against the same without documents",
            ours=beside,
            peer=alone,
            unit="s",
            target="<= 0.1 s",
            met=beside <= 0.1,
        ),
    ]


def copies(server: Server, document: Direct, count: int, due: dt.datetime) -> None:
    """Add ``count`` documents like this one, each with a schedule that is due at that moment."""
    with closing(sqlite3.connect(server.data_dir / "rostra.db")) as database:
        database.row_factory = sqlite3.Row
        item = database.execute("SELECT * FROM items WHERE guid = ?", (document.guid,)).fetchone()
        bundle = database.execute("SELECT * FROM bundles WHERE id = ?", (item["live_bundle_id"],)).fetchone()
        variant = {"item_id": 0, "key": "", "name": "Default", "is_default": 1, "owner_id": item["owner_id"]}
        variant |= {"visibility": "public", "parameters": "{}", "email_collaborators": 0, "email_viewers": 0}
        variant |= {"email_all": 0, "created_at": item["created_at"]}
        moment, start = str(item["created_at"]), due.replace(tzinfo=None).isoformat(" ")
        known = {each["name"] for each in database.execute("PRAGMA table_info(variants)")}
        variant = {name: value for name, value in variant.items() if name in known}
        for number in range(count):
            guid = new_guid()
            made = insert(database, "items", dict(item) | {"guid": guid, "name": f"report-{number}", "id": None})
            live = insert(database, "bundles", dict(bundle) | {"item_id": made, "id": None})
            database.execute("UPDATE items SET live_bundle_id = ? WHERE id = ?", (live, made))
            of = insert(database, "variants", variant | {"item_id": made, "key": new_key(8)})
            insert(
                database,
                "schedules",
                {
                    "variant_id": of, "every": "day", "payload": '{"N":1}', "start_at": start, "zone": "UTC",
                    "email": 0, "activate": 1, "paused": 0, "next_run": start, "created_by_id": item["owner_id"],
                    "created_at": moment, "updated_at": moment,
                },
            )  # fmt: skip
            for name, old, new in (
                ("apps", bundle["id"], live),
                ("bundles", f"{bundle['id']}.tar.gz", f"{live}.tar.gz"),
            ):
                source, target = (server.data_dir / name / each for each in (document.guid, guid))
                target.mkdir(mode=0o711)
                (shutil.copytree if name == "apps" else shutil.copyfile)(source / str(old), target / str(new))
        database.commit()


def insert(database: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    made = database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())).lastrowid
    assert made is not None
    return made


def visits(item: Direct, until: float) -> list[float]:
    taken: list[float] = []
    while time.monotonic() < until:
        begun = time.perf_counter()
        assert item.get().status == 200
        taken.append(time.perf_counter() - begun)
        time.sleep(VISIT_EVERY)
    return taken


async def until_drained(server: Server, bystander: Direct, count: int) -> list[float]:
    taken: list[float] = []
    end = time.monotonic() + 60 + MOST_SECONDS * count
    while (done := finished(server)) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{done} of {count} documents were rendered in time")
        taken += await asyncio.to_thread(visits, bystander, time.monotonic() + 1)
    return taken


def finished(server: Server) -> int:
    return one(server, "SELECT count(*) FROM tasks WHERE kind = 'scheduled-render' AND finished_at IS NOT NULL")


def unsuccessful(server: Server) -> int:
    return one(server, "SELECT count(*) FROM tasks WHERE kind = 'scheduled-render' AND exit_code != 0")


def one(server: Server, question: str) -> int:
    with closing(sqlite3.connect(f"file:{server.data_dir / 'rostra.db'}?mode=ro", uri=True)) as database:
        return int(database.execute(question).fetchone()[0])


def commands(folder: Path, rounds: int) -> float:
    """Return the seconds each document takes when the command makes two of them at a time."""
    place = folder / "by-hand"
    (place / "bundle").mkdir(parents=True)
    python = bench_rendering._environment(place)
    (place / "bundle/report.ipynb").write_text(bench_rendering._notebook())
    bench_rendering._nbconvert(place, python, 0)
    taken: list[float] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(rounds):
            begun = time.perf_counter()
            list(pool.map(lambda n: bench_rendering._nbconvert(place, python, n), [10 * number + n for n in (1, 2)]))
            taken.append((time.perf_counter() - begun) / AT_ONCE)
    return statistics.median(taken)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
