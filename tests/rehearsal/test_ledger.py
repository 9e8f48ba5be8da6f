"""Reading items ahead and storing results together, with steps that are played and a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rehearsal.walking import Played, begun, publish, read, walk
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from support.items import NOW

from rostra.content.tables import Bundle, Item
from rostra.db.engine import Sessions, transaction
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Step

pytestmark = pytest.mark.anyio


async def test_one_of_each_environment_comes_first(sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path) -> None:
    sessions, bench = sessions_and_bench
    for number in range(7):
        await publish(sessions, tmp_path, f"item{number}", key=f"e{number % 3}")
    rehearsal_id = await begun(bench)
    async with transaction(sessions) as session:
        order = await records.waiting(session, rehearsal_id)
        wanted = sa.select(Item.guid, Bundle.environment_key).join(Bundle, Bundle.id == Item.live_bundle_id)
        keys = {row.guid: row.environment_key for row in await session.execute(wanted)}
    assert [keys[guid] for guid in order] == ["e0", "e1", "e2", "e0", "e0", "e1", "e2"]


async def test_an_item_more_asks_the_database_for_little(
    sessions_and_bench: tuple[Sessions, Bench], engine: AsyncEngine, tmp_path: Path
) -> None:
    sessions, bench = sessions_and_bench
    for number in range(80):
        await publish(sessions, tmp_path, f"item{number}")
    rehearsal_id = await begun(bench, (Step.match, Step.resolve))
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await walk(bench, rehearsal_id).run()
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len((await read(bench, rehearsal_id))[1]) == 80
    assert len(asked) <= 80, "items are read and results stored many at a time"


@pytest.mark.parametrize("becomes", ["published anew", "deleted", "moved"])
async def test_an_item_that_changes_after_it_was_read_is_judged_as_it_is(
    sessions_and_bench: tuple[Sessions, Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    monkeypatch.setattr("rostra.rehearsal.walk.WALKERS", 1)
    sessions, bench = sessions_and_bench
    await publish(sessions, tmp_path, "slow")
    guid = await publish(sessions, tmp_path, "beta")
    rehearsal_id = await begun(bench)
    Played.gate, Played.reached = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(walk(bench, rehearsal_id).run())
    await Played.reached.wait()
    (before,) = (tmp_path / "apps" / guid).iterdir()
    before.rmdir()
    async with transaction(sessions) as session:
        item = (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one()
        if becomes == "deleted":
            item.deleted_at = NOW
        else:
            old = await session.get_one(Bundle, int(before.name))
            version = "3.13.0" if becomes == "moved" else "3.8.18"
            kept = {
                name: getattr(old, name)
                for name in ("size", "md5", "sha1", "sha256", "metadata_", "manifest", "kind", "entrypoint", "managed")
            }
            made = Bundle(item_id=item.id, created_at=NOW, state="built", runtime_version=version,
                          runtime_path=f"/opt/python/{version}", environment_key="e1", **kept)  # fmt: skip
            session.add(made)
            await session.flush()
            item.live_bundle_id = made.id
            (tmp_path / "apps" / guid / str(made.id)).mkdir()
    Played.gate.set()
    assert await running == "done"
    judged = (await read(bench, rehearsal_id))[1]
    assert judged == {"slow": "safe"} | ({"beta": "safe"} if becomes == "published anew" else {})
