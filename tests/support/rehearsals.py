"""Publishes the rehearsal corpus, and rehearses some of it in a data folder that nobody serves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rehearsal.corpus import Item

from rostra.app.rehearsing import standalone
from rostra.config.load import load
from rostra.db.engine import transaction
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Step
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.tables import RehearsedItem
from rostra.rehearsal.target import wish
from rostra.rehearsal.walk import Walk
from support import interpreters
from support.server import Server


def author_version(item: Item) -> str:
    return next(version for version in interpreters.installed() if version.startswith(f"{item.on}."))


def publish(server: Server, item: Item) -> str:
    """Publish through the API as a client does; return the guid once it is deployed."""
    made = server.get(
        "/__api__/v1/content",
        method="POST",
        body=json.dumps({"name": f"corpus-{item.name}", "title": item.name}).encode(),
    )
    guid = str(json.loads(made.body)["guid"])
    sent = server.get(
        f"/__api__/v1/content/{guid}/bundles",
        method="POST",
        body=item.bundle(author_version(item)),
        Content_Type="application/gzip",
    )
    body = json.dumps({"bundle_id": json.loads(sent.body)["id"]}).encode()
    task = json.loads(server.get(f"/__api__/v1/content/{guid}/deploy", method="POST", body=body).body)["task_id"]
    followed(server, task)
    return guid


def followed(server: Server, task: str, *, seconds: float = 900, check: bool = True) -> dict[str, Any]:
    """Wait for the end of a task and return it."""
    ends = time.monotonic() + seconds
    while True:
        seen: dict[str, Any] = json.loads(server.get(f"/__api__/v1/tasks/{task}?first=0&wait=5").body)
        if seen["finished"]:
            assert seen["code"] == 0 or not check, "\n".join(seen["output"])
            return seen
        assert time.monotonic() < ends, "the task does not end"


async def rehearsed(bench: Bench, guids: Sequence[str], onto: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Rehearse only these items, leaving 3.8 and 3.9, and return their results."""
    wanted = Wanted(wish=wish(["3.8,3.9"], onto), steps=tuple(steps))
    async with transaction(bench.tools.sessions) as session:
        made = await records.begin(session, wanted, bench.tools.clock.now())
        others = sa.and_(RehearsedItem.rehearsal_id == made.id, RehearsedItem.guid.not_in(guids))
        await session.execute(sa.delete(RehearsedItem).where(others))
    await Walk(bench, made.id, lambda _: None).run()
    async with transaction(bench.tools.reading) as session:
        return await records.results(session, made.id)


def opened(config: Path) -> Any:
    """Open the data folder of a stopped server; use as ``async with``."""
    return standalone(load(config, {}))
