"""P17: the audit of 10,000 items, and how it grows from 1,000; beside the report made from the list of all content."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.harness import Row, interleaved, processor_seconds, rounds, row
from rostra.auth.tables import User
from rostra.clock import SystemClock
from rostra.config.sections import Server as ServerSection
from rostra.config.sections import Settings
from rostra.content import audit_report
from rostra.content.audit import Server, Wanted, audit
from rostra.content.tables import Bundle, Item, Visit
from rostra.db.engine import open_engine, reading_factory, session_factory, transaction
from rostra.db.schema import upgrade
from rostra.runtimes.model import Policy, Runtime

NAME = "audit"
FEW, MANY = 1_000, 10_000
VISITS_EACH = 20


def run(quick: bool) -> list[Row]:
    """Return the findings for P17."""
    for room in ("auth", "jobs", "content", "environments"):
        importlib.import_module(f"rostra.{room}.tables")
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        engines = {count: runner.run(filled(Path(folder) / str(count), count)) for count in (FEW, MANY)}

        def subject(count: int, work: Callable[[AsyncEngine], object]) -> Callable[[], object]:
            return lambda: runner.run(work(engines[count]))  # type: ignore[arg-type]

        subjects = {
            "many": subject(MANY, _ours),
            "few": subject(FEW, _ours),
            "one by one": subject(FEW, _one_by_one),
        }
        seconds = interleaved(subjects, rounds(quick))
        many, few = processor_seconds(subjects["many"], subjects["few"], rounds(quick))
        for engine in engines.values():
            runner.run(engine.dispose())
    return _rows(seconds, many / few)


def _rows(seconds: dict[str, float], growth: float) -> list[Row]:
    many, few, naive = seconds["many"] * 1e3, seconds["few"] * 1e3, seconds["one by one"] * 1e3
    return [
        row(
            "P17",
            f"audit of {MANY} items as JSON, against {FEW} of them one by one",
            ours=many,
            peer=naive,
            unit="ms",
            target="<= 1000 ms",
            met=many <= 1000,
        ),
        row(
            "P17",
            f"processor time of {MANY} items, against {FEW} of them",
            ours=growth,
            peer=1.0,
            unit="times",
            target=f"<= {MANY // FEW} (linear), 15 % for noise",
            met=growth <= MANY / FEW * 1.15,
        ),
        row(
            "P17",
            f"audit of {FEW} items, against asking for each item by itself",
            ours=few,
            peer=naive,
            unit="ms",
            target="less",
            met=few < naive,
        ),
    ]


async def _ours(engine: AsyncEngine) -> str:
    async with transaction(reading_factory(engine)) as session:
        found = await audit(session, _server(), Wanted(), SystemClock().now())
    return json.dumps(audit_report.to_json(found, lambda guid: f"https://rostra.example.org/connect/#/apps/{guid}"))


async def _one_by_one(engine: AsyncEngine) -> str:
    """What a script makes of the list of content: an owner, a bundle and a count of visits for each."""
    told = []
    since = SystemClock().now() - dt.timedelta(days=90)
    async with transaction(reading_factory(engine)) as session:
        for item in (await session.execute(sa.select(Item))).scalars():
            owner = await session.execute(sa.select(User.username).where(User.id == item.owner_id))
            live = sa.select(Bundle.runtime_version).where(Bundle.id == item.live_bundle_id)
            version = (await session.execute(live)).scalar_one()
            counted = sa.select(sa.func.count()).where(Visit.item_id == item.id, Visit.at >= since)
            visits = (await session.execute(counted)).scalar_one()
            told.append([item.guid, owner.scalar_one(), version, visits])
    return json.dumps(told)


def _server() -> Server:
    versions = [f"3.{minor}.{patch}" for minor in range(8, 13) for patch in (1, 5)]
    there = [Runtime(version=Version(text), executable=Path(f"/{text}"), target=Path(f"/{text}")) for text in versions]
    return Server(runtimes=there, policy=Policy.major_minor, running={})


async def filled(folder: Path, count: int) -> AsyncEngine:
    folder.mkdir()
    engine = open_engine(Settings(server=ServerSection(data_dir=folder)))
    await upgrade(engine)
    now = SystemClock().now()
    stamp = {"created_at": now, "updated_at": now}
    empty = dict.fromkeys(("description", "content_category", "locked_message"), "")
    built = {"size": 1, "md5": "", "sha1": "", "sha256": "", "kind": "python-fastapi", "manifest": {}, "metadata_": {}}
    async with transaction(session_factory(engine)) as session:
        people = [
            {"id": n, "guid": f"u{n}", "username": f"user{n}", "role": "publisher", **stamp} for n in range(1, 51)
        ]
        await session.execute(sa.insert(User), people)
        items = [
            {"id": n, "guid": f"g{n}", "name": f"n{n}", "title": f"Item {n}", "kind": "python-fastapi", "settings": {}}
            | {"owner_id": 1 + n % 50, "live_bundle_id": n, **stamp, **empty}
            for n in range(1, count + 1)
        ]
        await session.execute(sa.insert(Item), items)
        bundles = [
            {"id": n, "item_id": n, "created_at": now, "state": "built", **built}
            | {"runtime_version": f"3.{8 + n % 6}.1", "runtime_path": "/p", "requested_version": f"3.{8 + n % 6}.0"}
            for n in range(1, count + 1)
        ]
        await session.execute(sa.insert(Bundle), bundles)
        for day in range(VISITS_EACH):
            at = now - dt.timedelta(days=day * 6)
            visits = [{"item_id": n, "at": at, "path": "/", "agent": ""} for n in range(1, count + 1)]
            await session.execute(sa.insert(Visit), visits)
    return engine
