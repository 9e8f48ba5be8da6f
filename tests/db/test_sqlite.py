"""A connection that is given up lets go of its write lock at once, whoever still refers to what it was doing."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rostra.config.sections import Server, Settings
from rostra.db import engine as module
from rostra.db.engine import open_engine, session_factory, transaction
from rostra.db.sqlite import connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("how", ["close", "stop"])
@pytest.mark.usefixtures("uncollected")
async def test_a_cursor_that_is_kept_keeps_no_lock(tmp_path: Path, how: str) -> None:
    made = await connect(str(tmp_path / "x.db"), isolation_level=None)
    await made.execute("PRAGMA journal_mode=WAL")
    await made.execute("CREATE TABLE numbers AS SELECT 1 AS n UNION SELECT 2 UNION SELECT 3")
    await made.execute("BEGIN IMMEDIATE")
    await made.execute("INSERT INTO numbers VALUES (4)")
    kept = await made.execute("SELECT n FROM numbers")
    await kept.fetchone()
    await (made.close() if how == "close" else made.stop() or asyncio.sleep(0))
    with sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM numbers").fetchone() == (3,), "what was given up did not happen"
    other.close()
    assert kept is not None


@pytest.mark.usefixtures("uncollected")
async def test_others_write_after_a_transaction_was_cancelled_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 5.0)
    engine = open_engine(Settings(server=Server(data_dir=tmp_path)))
    sessions = session_factory(engine)
    async with transaction(sessions) as session:
        await session.execute(sa.text("CREATE TABLE numbers (n INTEGER)"))

    async def work() -> None:
        while True:
            async with transaction(sessions) as session:
                await session.execute(sa.text("INSERT INTO numbers VALUES (1)"))
                await session.execute(sa.text("SELECT n FROM numbers"))

    for moment in range(60):
        working = [asyncio.create_task(work()) for _ in range(1 + moment % 3)]
        await asyncio.sleep(moment * 0.0003)
        for one in working:
            one.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        async with transaction(sessions) as session:
            await session.execute(sa.text("INSERT INTO numbers VALUES (2)"))
    await engine.dispose()
