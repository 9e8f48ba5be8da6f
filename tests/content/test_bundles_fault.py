"""kill -9 while bundles are uploaded, unpacked and deleted: afterwards files and rows agree, nothing is half there."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from hashlib import md5
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.bundles import bundle as packed
from support.database import migrate, sqlite_settings
from support.items import NOW, StillClock, add_item, add_user

from rostra.content import bundles, disk, items, unpack
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item
from rostra.db.engine import open_engine, session_factory, transaction

pytestmark = pytest.mark.fault

RAW = packed({"app.py": "app = 1", "a/b/c.txt": "x" * 5000, "d.txt": "y"})
POINTS = [3, 20, 60, 100, 130, 150, 170, 200, 260, 400, 700, 1000, 1400, 2000]


async def work(folder: Path) -> None:
    """Publish and delete without end, through what the server calls."""
    places, engine = Places(folder), open_engine(sqlite_settings(folder))
    sessions = session_factory(engine)

    async def stream() -> object:
        yield RAW

    while True:
        received = await bundles.receive(stream(), folder=folder / "bundles", max_bytes=10**6)  # type: ignore[arg-type]
        contents = await unpack.inspect(received.path)
        async with transaction(sessions) as session:
            item = (await session.execute(sa.select(Item).where(Item.deleted_at.is_(None)))).scalars().first()
            assert item is not None
            made = await bundles.accept(
                session, item, received, contents, user_id=None, clock=StillClock(), places=places
            )
        await unpack.unpack(places.archive(item.guid, made.id), places.app(item.guid, made.id))
        async with transaction(sessions) as session:
            oldest = (await bundles.listing(session, item))[-1]
            leftovers = await bundles.delete(session, item, oldest, places)
        await disk.remove_all(leftovers)
        await items.purge(sessions, places)


def run_until(folder: Path, lines: int) -> None:
    """Run `work` in a process that kills itself after executing this many lines of the room."""
    left = lines

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal left
        if "rostra/content" not in frame.f_code.co_filename:  # type: ignore[attr-defined]
            return None
        left -= event == "line"
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)  # type: ignore[arg-type]
    sys.settrace(trace)  # type: ignore[arg-type]
    asyncio.run(work(folder))


async def prepare(folder: Path) -> None:
    await migrate(sqlite_settings(folder))
    engine = open_engine(sqlite_settings(folder))
    async with transaction(session_factory(engine)) as session:
        owner = await add_user(session, "owner")
        await add_item(session, owner)
        await items.delete(session, await add_item(session, owner), NOW)
    await engine.dispose()


async def recover_and_check(folder: Path) -> None:
    places, engine = Places(folder), open_engine(sqlite_settings(folder))
    sessions = session_factory(engine)
    await items.purge(sessions, places)
    async with transaction(sessions) as session:
        await bundles.reconcile(session, places)
    async with transaction(sessions) as session:
        item = (await session.execute(sa.select(Item))).scalar_one()
        rows = (await session.execute(sa.select(Bundle))).scalars().all()
    await engine.dispose()
    assert all(row.state == "uploaded" for row in rows), "no row ever lost its file"
    archives = {path.name for path in places.bundles(item.guid).glob("*")}
    assert archives == {f"{row.id}.tar.gz" for row in rows}
    for row in rows:
        assert md5(places.archive(item.guid, row.id).read_bytes()).hexdigest() == row.md5
        app = places.app(item.guid, row.id)
        if app.exists():
            assert sorted(p.name for p in app.rglob("*")) == ["a", "app.py", "b", "c.txt", "d.txt", "manifest.json"]
    assert not list(folder.rglob(".scratch-*"))


@pytest.mark.parametrize("lines", POINTS)
def test_killed_at(tmp_path: Path, lines: int) -> None:
    asyncio.run(prepare(tmp_path))
    tests = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    argv = [sys.executable, __file__, str(tmp_path), str(lines)]
    ended = subprocess.run(argv, env=os.environ | tests, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    asyncio.run(recover_and_check(tmp_path))


if __name__ == "__main__":
    run_until(Path(sys.argv[1]), int(sys.argv[2]))
