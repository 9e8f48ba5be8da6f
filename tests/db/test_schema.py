import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine
from support.database import all_tables, sqlite_settings

from rostra.config.sections import Database, Postgres, Server, Settings
from rostra.db.engine import open_engine
from rostra.db.errors import DatabaseTooNew, DatabaseUnavailable
from rostra.db.schema import NEWEST, alembic_config, upgrade

pytestmark = pytest.mark.anyio


async def test_the_steps_make_exactly_the_tables_of_the_code(engine: AsyncEngine) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, all_tables().metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_newest_step_is_the_one_that_is_looked_for(engine: AsyncEngine) -> None:
    def head(connection: sa.Connection) -> str | None:
        return ScriptDirectory.from_config(alembic_config(connection)).get_current_head()

    async with engine.connect() as connection:
        assert await connection.run_sync(head) == NEWEST


async def test_upgrading_again_changes_nothing(engine: AsyncEngine) -> None:
    assert await upgrade(engine) == ()


async def test_two_servers_that_start_together_take_turns(tmp_path: Path) -> None:
    engines = [open_engine(sqlite_settings(tmp_path)) for _ in range(2)]
    done = await asyncio.gather(*(upgrade(engine) for engine in engines))
    for engine in engines:
        await engine.dispose()
    assert sorted(map(len, done))[0] == 0
    assert sum(map(len, done)) >= 1


async def test_a_newer_database_is_refused(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match="9999"):
        await upgrade(engine)


async def test_a_number_is_never_used_twice(engine: AsyncEngine) -> None:
    insert = sa.text(
        "INSERT INTO users (guid, username, email, first_name, last_name, role, confirmed, locked, "
        "created_at, updated_at) "
        "VALUES (:n, :n, '', '', '', 'viewer', true, false, '2026-01-01', '2026-01-01') RETURNING id"
    )
    async with engine.begin() as connection:
        first = (await connection.execute(insert, {"n": "a"})).scalar_one()
        await connection.execute(sa.text("DELETE FROM users"))
        assert (await connection.execute(insert, {"n": "b"})).scalar_one() > first


async def test_an_unreachable_server_is_said_without_its_password(tmp_path: Path) -> None:
    settings = Settings(
        server=Server(data_dir=tmp_path),
        database=Database(provider="postgres"),
        postgres=Postgres(url=f"postgres://me@/x?host={tmp_path}", password="hush"),
    )
    engine = open_engine(settings)
    with pytest.raises(DatabaseUnavailable) as told:
        await upgrade(engine)
    await engine.dispose()
    assert "hush" not in str(told.value)
