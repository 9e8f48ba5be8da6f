import asyncio
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from support.database import sqlite_settings

from rostra.auth.tables import User
from rostra.clock import SystemClock
from rostra.config.sections import Database, Postgres, Server, Settings
from rostra.db.engine import Sessions, alone, open_engine, reading_factory, transaction
from rostra.db.errors import DatabaseAddressInvalid, DatabaseUnavailable

pytestmark = pytest.mark.anyio


def person(name: str) -> User:
    now = SystemClock().now()
    return User(guid=f"guid-{name}", username=name, role="viewer", created_at=now, updated_at=now)


async def count(sessions: Sessions) -> int:
    async with transaction(sessions) as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(User))).scalar_one()


async def test_a_block_that_ends_is_committed(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        session.add(person("ada"))
    assert await count(sessions) == 1


async def test_a_block_that_raises_leaves_nothing(sessions: Sessions) -> None:
    async def half_way() -> None:
        async with transaction(sessions) as session:
            session.add(person("ada"))
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await half_way()
    assert await count(sessions) == 0


async def test_read_then_write_by_many_at_once_loses_nothing(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        session.add(person("0"))

    async def lengthen() -> None:
        async with transaction(sessions) as session:
            user = (await session.execute(sa.select(User).with_for_update())).scalar_one()
            await asyncio.sleep(0)
            user.username += "x"

    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(lengthen())
    async with transaction(sessions) as session:
        assert (await session.execute(sa.select(User.username))).scalar_one() == "0" + "x" * 12


async def test_those_who_ask_to_be_alone_take_turns(sessions: Sessions) -> None:
    async def first_of_its_name() -> None:
        async with transaction(sessions) as session:
            await alone(session, "users")
            if not (await session.execute(sa.select(User))).first():
                await asyncio.sleep(0.01)
                session.add(person("only"))

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(first_of_its_name())
    assert await count(sessions) == 1


async def test_times_come_back_aware(sessions: Sessions) -> None:
    wanted = person("ada")
    async with transaction(sessions) as session:
        session.add(wanted)
    async with transaction(sessions) as session:
        assert (await session.execute(sa.select(User.created_at))).scalar_one() == wanted.created_at


async def test_numbers_beyond_32_bits_fit(engine: AsyncEngine, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await session.execute(
            sa.text(
                "INSERT INTO environments (key, language, runtime_version, runtime_path, path, installer, lock, "
                "packages, size, created_at, used_at) VALUES ('k', 'python', '3.11.7', "
                "'', '', '', '', '[]', 9000000000, "
                "'2026-01-01', '2026-01-01')"
            )
        )
        assert (await session.execute(sa.text("SELECT size FROM environments"))).scalar_one() == 9_000_000_000


class TestSqlite:
    async def test_a_reader_does_not_wait_for_a_writer(self, tmp_path: Path, sqlite_template: Path) -> None:
        (tmp_path / "rostra.db").write_bytes(sqlite_template.read_bytes())
        engine = open_engine(sqlite_settings(tmp_path))
        async with engine.begin() as writing, asyncio.timeout(5):
            await writing.execute(sa.text("DELETE FROM users"))
            async with reading_factory(engine)() as session:
                assert (await session.execute(sa.select(User))).first() is None
        await engine.dispose()

    async def test_a_reading_transaction_cannot_write(self, tmp_path: Path, sqlite_template: Path) -> None:
        (tmp_path / "rostra.db").write_bytes(sqlite_template.read_bytes())
        engine = open_engine(sqlite_settings(tmp_path))
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            async with transaction(reading_factory(engine)) as session:
                session.add(person("ada"))
        await engine.dispose()

    async def test_a_connection_is_durable_and_checks_references(self, tmp_path: Path) -> None:
        engine = open_engine(sqlite_settings(tmp_path))
        async with engine.connect() as connection:
            asked = [
                (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        await engine.dispose()
        assert asked == ["wal", 2, 1]

    async def test_only_the_owner_may_read_the_file(self, tmp_path: Path) -> None:
        await open_engine(sqlite_settings(tmp_path)).dispose()
        assert stat.S_IMODE((tmp_path / "rostra.db").stat().st_mode) == 0o600

    async def test_a_missing_folder_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseUnavailable, match="No such file"):
            open_engine(sqlite_settings(tmp_path / "absent"))


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite:///x", "not a url"])
async def test_an_address_that_is_not_postgres_is_refused(url: str, tmp_path: Path) -> None:
    settings = Settings(
        server=Server(data_dir=tmp_path), database=Database(provider="postgres"), postgres=Postgres(url=url)
    )
    with pytest.raises(DatabaseAddressInvalid, match="Postgres"):
        open_engine(settings)
