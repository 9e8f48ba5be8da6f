"""Opens the database: SQLite in the data folder, or PostgreSQL.

Promises that a committed transaction survives both ``kill -9`` and a power cut, and that two writers wait for each
other instead of failing. Why these settings: docs/decisions/0008-database.md.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from rostra.config.sections import Settings
from rostra.db import sqlite
from rostra.db.errors import DatabaseAddressInvalid, DatabaseUnavailable

Sessions: TypeAlias = async_sessionmaker[AsyncSession]

BUSY_SECONDS = 30.0  # how long a writer waits for another one
_READ_ONLY = "rostra_read_only"


def open_engine(settings: Settings) -> AsyncEngine:
    """Return the engine of the configured database. Nothing is contacted yet, but the SQLite file is made (0600).

    Raises:
        DatabaseAddressInvalid: ``[Postgres] URL`` cannot be read.
        DatabaseUnavailable: the SQLite file cannot be made.
    """
    if settings.database.provider == "postgres":
        return create_async_engine(_postgres_url(settings), pool_pre_ping=True, pool_size=10, max_overflow=10)
    return _sqlite(settings.server.data_dir / "rostra.db")


def session_factory(engine: AsyncEngine) -> Sessions:
    """Return the factory for transactions that may write. On SQLite each is the only writer from its start."""
    return async_sessionmaker(engine, expire_on_commit=False)


def reading_factory(engine: AsyncEngine) -> Sessions:
    """Return the factory for transactions that only read: on SQLite they wait for nobody. Writing in one fails."""
    return async_sessionmaker(only_reading(engine), expire_on_commit=False)


def only_reading(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine with every transaction one that only reads."""
    return engine.execution_options(**{_READ_ONLY: True})


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One transaction: committed when the block ends, rolled back when it raises."""
    async with sessions() as session, session.begin():
        yield session


async def alone(session: AsyncSession, name: str) -> None:
    """Make every other transaction that asks for ``name`` wait until this one ends.

    For decisions that two could make at the same time ("is there an administrator yet?"). On SQLite a writing
    transaction is alone anyway.
    """
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"rostra/{name}"})


def _sqlite(path: Path) -> AsyncEngine:
    try:
        # Password and key hashes live in it; the files beside it (-wal, -shm) get the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as why:
        raise DatabaseUnavailable(str(path), why.strerror or str(why)) from why
    url = sa.URL.create("sqlite+aiosqlite", database=str(path))
    options = {"timeout": BUSY_SECONDS, "async_creator_fn": sqlite.connect}
    engine = create_async_engine(url, connect_args=options, pool_size=10, max_overflow=10)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None  # the driver must not begin on its own: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    # A transaction that reads first and writes later could not wait for another writer any more: it would fail.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgres_url(settings: Settings) -> sa.URL:
    try:
        url = sa.make_url(settings.postgres.url)
    except sa.exc.ArgumentError as why:
        raise DatabaseAddressInvalid("it is not a URL") from why
    if url.drivername not in ("postgres", "postgresql"):
        raise DatabaseAddressInvalid(f"it begins with {url.drivername}://")
    password = settings.postgres.password or url.password
    return url.set(drivername="postgresql+psycopg", password=password)


async def database_bytes(session: AsyncSession) -> int:
    """Return what the database takes."""
    if session.get_bind().dialect.name == "postgresql":
        wanted = sa.text("SELECT pg_database_size(current_database())")
    else:
        wanted = sa.text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    return int((await session.execute(wanted)).scalar_one())
