"""Brings the database to the tables this release expects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from rostra.db.errors import DatabaseTooNew, DatabaseUnavailable


async def upgrade(engine: AsyncEngine) -> tuple[str, ...]:
    """Run the steps that are missing, all in one transaction; return the revisions that were added, oldest first.

    Two servers that start at the same time take turns.

    Raises:
        DatabaseTooNew: a newer release made the tables.
        DatabaseUnavailable: it cannot be reached or written.
    """
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade)
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
        raise DatabaseUnavailable(_where(engine), str(why.orig).strip()) from why


def alembic_config(connection: sa.Connection, metadata: sa.MetaData | None = None) -> Config:
    """Return Alembic's configuration for ``connection``; ``metadata`` is needed only to write a new step."""
    config = Config()
    config.set_main_option("script_location", "rostra.db:migrations")
    config.attributes.update(connection=connection, metadata=metadata)
    return config


def _upgrade(connection: sa.Connection) -> tuple[str, ...]:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('rostra/migrations'))"))
    config = alembic_config(connection)
    known = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    at = MigrationContext.configure(connection).get_current_revision()
    if at is not None and at not in known:
        raise DatabaseTooNew(at)
    missing = tuple(known[known.index(at) + 1 :] if at else known)
    if missing:
        command.upgrade(config, "head")
    return missing


def _where(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=True)
