"""Reads a server's records from the command line, whether it runs or not. Nothing is written or upgraded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.config.sections import Settings
from rostra.db.engine import open_engine, reading_factory, transaction
from rostra.db.schema import standing
from rostra.errors import Conflict, NotFound

T = TypeVar("T")


class NoDatabase(NotFound):
    code = "no-database"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"there is no database at {where}", hint="Name the server's configuration file with --config, or start it."
        )


class DatabaseBehind(Conflict):
    """The records are those of another release."""

    code = "database-behind"

    def __init__(self, revision: str | None) -> None:
        super().__init__(
            f"the database is at revision {revision or 'none'}, which is not this release's",
            hint="Start this release once, or see: rostra upgrade check.",
        )


async def reading(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Return what ``work`` finds in one transaction that only reads.

    Raises:
        NoDatabase, DatabaseBehind, DatabaseUnavailable
    """
    file = settings.server.data_dir / "rostra.db"
    if settings.database.provider == "sqlite" and not file.exists():
        raise NoDatabase(str(file))
    engine = open_engine(settings)
    try:
        found = await standing(engine)
        if found.missing or found.newer:
            raise DatabaseBehind(found.revision)
        async with transaction(reading_factory(engine)) as session:
            return await work(session)
    finally:
        await engine.dispose()
