"""Brings the database to the tables this release expects.

Nearly every start finds them as they should be, and then Alembic is not even loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from rostra.db.engine import only_reading
from rostra.db.errors import DatabaseTooNew, DatabaseUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0014_scheduled_time"  # the last step in migrations/versions


async def upgrade(engine: AsyncEngine) -> tuple[str, ...]:
    """Run the steps that are missing, all in one transaction; return the revisions that were added, oldest first.

    Two servers that start at the same time take turns.

    Raises:
        DatabaseTooNew: a newer release made the tables.
        DatabaseUnavailable: it cannot be reached or written.
    """
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(_revision) == NEWEST:
                return ()
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade)
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
        raise DatabaseUnavailable(_where(engine), str(why.orig).strip()) from why


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a database is. ``revision`` is None when it is empty; ``missing`` are the steps to come, oldest first."""

    revision: str | None
    missing: tuple[str, ...]
    newer: bool


async def standing(engine: AsyncEngine) -> Standing:
    """Return where the database is, and change nothing.

    Raises:
        DatabaseUnavailable: it cannot be reached.
    """
    try:
        async with only_reading(engine).connect() as connection:
            return await connection.run_sync(_standing)
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.DatabaseError) as why:
        raise DatabaseUnavailable(_where(engine), str(why.orig).strip()) from why


def alembic_config(connection: sa.Connection, metadata: sa.MetaData | None = None) -> Config:
    """Return Alembic's configuration for ``connection``; ``metadata`` is needed only to write a new step."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "rostra.db:migrations")
    config.attributes.update(connection=connection, metadata=metadata)
    return config


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def _upgrade(connection: sa.Connection) -> tuple[str, ...]:
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('rostra/migrations'))"))
    found = _standing(connection)
    if found.newer:
        raise DatabaseTooNew(str(found.revision))
    if found.missing:
        command.upgrade(alembic_config(connection), "head")
    return found.missing


def _standing(connection: sa.Connection) -> Standing:
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()
    known = [step.revision for step in steps][::-1]
    at = _revision(connection)
    if at is not None and at not in known:
        return Standing(at, (), newer=True)
    return Standing(at, tuple(known[known.index(at) + 1 :] if at else known), newer=False)


def _where(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=True)
