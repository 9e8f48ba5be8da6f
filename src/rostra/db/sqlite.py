"""SQLite connections that let go of their lock when they are closed, whatever they were in the middle of.

Whoever is cancelled inside a transaction gives its connection up. SQLite only really closes it once every statement of
it is gone, and a cursor that an exception still refers to keeps one: until the garbage collector came by, everybody
else would wait for a write lock that nobody uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any

import aiosqlite


class Connection(aiosqlite.Connection):
    """Rolls back before it closes, in the thread that runs its statements, after the last of them."""

    async def close(self) -> None:
        self._give_up()
        await super().close()

    def stop(self) -> asyncio.Future[Any] | None:
        self._give_up()
        return super().stop()

    def _give_up(self) -> None:
        self._tx.put_nowait((None, self._rolled_back))

    def _rolled_back(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # it is closed already
                self._connection.rollback()


def connect(database: str, **options: Any) -> Connection:
    """As ``aiosqlite.connect``, in a thread that does not keep the process from ending."""
    made = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    made._thread.daemon = True
    return made
