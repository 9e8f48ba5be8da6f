"""Listing and searching 10,000 items, for an administrator and for a viewer with 200 of them; growth from 1,000."""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.bench_audit import filled
from benchmarks.harness import Row, processor_seconds, rounds, row
from rostra.api import shapes
from rostra.api.addresses import Addresses
from rostra.auth.principals import Principal, Role, Via
from rostra.content.search import search
from rostra.content.tables import Permission
from rostra.db.engine import reading_factory, session_factory, transaction

NAME = "listing"
FEW, MANY, GRANTED = 1_000, 10_000, 200
LINKS = Addresses("https://rostra.example.org")
INCLUDE = frozenset(("owner", "tags", "vanity_url"))
ROOT = Principal(user_id=1, guid="u1", username="user1", role=Role.administrator, via=Via.key)
VIEWER = Principal(user_id=50, guid="u50", username="user50", role=Role.viewer, via=Via.key)


def run(quick: bool) -> list[Row]:
    """Return how much processor time each takes, and how much more the many take than the few."""
    for room in ("auth", "jobs", "content", "environments", "rendering", "rehearsal", "mail"):
        importlib.import_module(f"rostra.{room}.tables")
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        engines = {count: runner.run(_shown(Path(folder) / str(count), count)) for count in (FEW, MANY)}

        def subject(count: int, who: Principal, words: str | None) -> Callable[[], object]:
            return lambda: runner.run(_list(engines[count], who, words))

        found: list[Row] = []
        for what, who, words in (
            ("list for an administrator", ROOT, None),
            (f"list for a viewer of {GRANTED}", VIEWER, None),
            ("search for a word", ROOT, "Item 9"),
            ("search by a viewer", VIEWER, "Item"),
        ):
            many, few = subject(MANY, who, words), subject(FEW, who, words)
            found += _rows(what, *processor_seconds(many, few, rounds(quick)))
        for engine in engines.values():
            runner.run(engine.dispose())
    return found


def _rows(what: str, many: float, few: float) -> list[Row]:
    growth, many, few = many / few, many * 1e3, few * 1e3
    return [
        row(
            "listing",
            f"{what}: {MANY} items, against {FEW}, processor time",
            ours=many,
            peer=few,
            unit="ms",
            target="<= 1000 ms",
            met=many <= 1000,
        ),
        row(
            "listing",
            f"{what}: growth of processor time",
            ours=growth,
            peer=1.0,
            unit="times",
            target=f"<= {MANY // FEW} (linear), 15 % for noise",
            met=growth <= MANY / FEW * 1.15,
        ),
    ]


async def _list(engine: AsyncEngine, who: Principal, words: str | None) -> int:
    """Return the length of the JSON of the whole list, or of the first page of what was searched for.

    (Not the text: `asyncio.Runner` makes a message with it at its end, and that would be measured.)
    """
    async with transaction(reading_factory(engine)) as session:
        if words is None:
            return len(await shapes.listing(session, who, LINKS, INCLUDE))
        found = (await search(session, who, words, sort="", ascending=False, page=1, size=500)).items
        return len(to_json(await shapes.contents(session, who, found, LINKS, INCLUDE)))


async def _shown(folder: Path, count: int) -> AsyncEngine:
    """Fill a database, and show 200 items to the viewer, who owns none of them."""
    engine = await filled(folder, count)
    async with transaction(session_factory(engine)) as session:
        mine = [n for n in range(1, count + 1) if 1 + n % 50 != VIEWER.user_id][:GRANTED]
        await session.execute(sa.insert(Permission), [{"item_id": n, "user_id": 50, "role": "viewer"} for n in mine])
    return engine
