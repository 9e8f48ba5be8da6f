"""When each environment was used last: a row beside the folder. The folder is the truth, the row follows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.environments import record
from rostra.environments.record import Ready
from rostra.environments.spec import Environment
from rostra.environments.tables import EnvironmentRecord

WRITTEN_EVERY = dt.timedelta(minutes=10)  # a busy environment's row is not written more often


class Uses:
    """Remembers uses in memory and says which are worth writing. One for each control process.

    Whoever is about to remove an environment asks `since`: what is not written yet counts, too.
    """

    def __init__(self) -> None:
        self._used: dict[str, dt.datetime] = {}
        self._written: dict[str, dt.datetime] = {}

    def note(self, key: str, now: dt.datetime) -> bool:
        """Remember a use; return whether it should be written down now."""
        self._used[key] = now
        due = key not in self._written or now - self._written[key] >= WRITTEN_EVERY
        if due:
            self._written[key] = now
        return due

    def since(self, key: str) -> dt.datetime | None:
        """Return the last use this process knows of."""
        return self._used.get(key)

    def forget(self, key: str) -> None:
        self._used.pop(key, None)
        self._written.pop(key, None)


async def used(session: AsyncSession, environment: Environment, data_dir: Path, now: dt.datetime) -> None:
    """Write down that an environment is used now; an unknown one gets its row. Content without packages has none."""
    if environment.root is None:
        return
    changed = sa.update(EnvironmentRecord).where(EnvironmentRecord.key == environment.key).values(used_at=now)
    known = (await session.execute(changed.returning(EnvironmentRecord.key))).first()
    if known is None and (ready := record.read(environment.root)):
        session.add(_row(ready, data_dir, now))
        await session.flush()


async def reconcile(session: AsyncSession, ready: Sequence[Ready], data_dir: Path, now: dt.datetime) -> None:
    """Make rows and folders agree: rows without a folder go, folders without a row count as used now."""
    there = {one.environment.key: one for one in ready}
    known = set((await session.execute(sa.select(EnvironmentRecord.key))).scalars())
    for key in known - set(there):
        await session.execute(sa.delete(EnvironmentRecord).where(EnvironmentRecord.key == key))
    session.add_all(_row(there[key], data_dir, now) for key in sorted(set(there) - known))
    await session.flush()


async def forget(session: AsyncSession, keys: Iterable[str]) -> None:
    """Drop the rows of environments that were removed."""
    for key in keys:
        await session.execute(sa.delete(EnvironmentRecord).where(EnvironmentRecord.key == key))


async def last_uses(session: AsyncSession) -> Mapping[str, dt.datetime]:
    """Return when each environment was used last, by key."""
    rows = await session.execute(sa.select(EnvironmentRecord.key, EnvironmentRecord.used_at))
    return {row.key: row.used_at for row in rows}


def _row(ready: Ready, data_dir: Path, now: dt.datetime) -> EnvironmentRecord:
    environment = ready.environment
    assert environment.root is not None
    return EnvironmentRecord(
        key=environment.key,
        language="python",
        runtime_version=str(environment.runtime.version),
        runtime_path=str(environment.runtime.executable),
        path=str(environment.root.relative_to(data_dir)),
        installer=environment.installer,
        lock=environment.lock,
        packages=[asdict(package) for package in environment.packages],
        size=ready.size,
        created_at=ready.created_at,
        used_at=now,
    )
