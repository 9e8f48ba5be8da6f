"""Real databases for tests: a fresh SQLite file, or a fresh database on a PostgreSQL of this test run's own.

A room's ``conftest.py`` says ``from support.database import *``; a test that takes ``engine`` then runs on both.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from rostra.config.sections import Database, Postgres, Server, Settings
from rostra.db.base import Table
from rostra.db.engine import Sessions, open_engine, session_factory
from rostra.db.schema import upgrade

__all__ = ["database_settings", "engine", "postgres_socket", "sessions", "sqlite_template"]

ROOMS_WITH_TABLES = ("auth", "jobs", "mail", "content", "environments", "rendering", "rehearsal")


def all_tables() -> Table:
    """Return the base once every room's tables are known to it."""
    for room in ROOMS_WITH_TABLES:
        importlib.import_module(f"rostra.{room}.tables")
    return Table  # type: ignore[return-value]


def sqlite_settings(folder: Path) -> Settings:
    return Settings(server=Server(data_dir=folder))


def postgres_settings(folder: Path, socket: Path, name: str) -> Settings:
    url = f"postgres://postgres@/{name}?host={socket}"
    return Settings(server=Server(data_dir=folder), database=Database(provider="postgres"), postgres=Postgres(url=url))


async def migrate(settings: Settings) -> None:
    engine = open_engine(settings)
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite")
    asyncio.run(migrate(sqlite_settings(folder)))
    return folder / "rostra.db"


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """The socket folder of a PostgreSQL of our own, with a migrated database called ``template``; or skip."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(found) for found in [shutil.which("initdb")] if found
    ]
    if not programs:
        pytest.skip("no PostgreSQL server programs on this machine")
    folder = Path(tempfile.mkdtemp(prefix="rostra-pg-"))
    try:
        yield from _cluster(programs[-1].parent, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cluster(programs: Path, folder: Path) -> Iterator[Path]:
    as_user: dict[str, object] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("running as root and there is no account called postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data, quick = folder / "data", "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60, **as_user)  # type: ignore[call-overload]

    run(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    control = str(programs / "pg_ctl")
    run(
        control,
        "-D",
        str(data),
        "-l",
        str(folder / "log"),
        "-w",
        "-o",
        f"-k {folder} -c listen_addresses='' {quick}",
        "start",
    )
    try:
        _sql(folder, "CREATE DATABASE template")
        asyncio.run(migrate(postgres_settings(folder, folder, "template")))
        yield folder
    finally:
        run(control, "-D", str(data), "-m", "immediate", "stop")


def _sql(socket: Path, statement: str) -> None:
    with psycopg.connect(f"host={socket} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_settings(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[Settings]:
    """Settings of a migrated, empty database."""
    if request.param == "sqlite":
        shutil.copy(sqlite_template, tmp_path / "rostra.db")
        yield sqlite_settings(tmp_path)
        return
    socket = request.getfixturevalue("postgres_socket")
    name = f"t{os.urandom(6).hex()}"
    _sql(socket, f"CREATE DATABASE {name} TEMPLATE template")
    yield postgres_settings(tmp_path, socket, name)
    _sql(socket, f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def empty_database(socket: Path) -> Iterator[str]:
    """Make an empty database for a whole server; yield the lines of its configuration."""
    name = f"s{os.urandom(6).hex()}"
    _sql(socket, f"CREATE DATABASE {name}")
    try:
        yield f"[Database]\nProvider = postgres\n[Postgres]\nURL = postgres://postgres@/{name}?host={socket}\n"
    finally:
        _sql(socket, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
async def engine(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_settings)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    return session_factory(engine)
