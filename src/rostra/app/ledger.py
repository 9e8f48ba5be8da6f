"""When each environment was used, written down, and removal of those nobody needs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from rostra.clock import Clock
from rostra.content import audit_environments
from rostra.db.engine import Sessions, transaction
from rostra.environments import inventory, inventory_rows
from rostra.environments.cleanup import LEAST_UNUSED, Standing, in_use, reapable, standings
from rostra.environments.inventory import Sort
from rostra.environments.inventory_rows import Uses
from rostra.environments.record import Ready
from rostra.environments.spec import Environment
from rostra.environments.store import Store
from rostra.execution.launcher import Running
from rostra.runtimes.model import Runtime
from rostra.trees import remove_tree


class Ledger:
    """One for each data folder that is worked on."""

    def __init__(self, sessions: Sessions, data_dir: Path, clock: Clock) -> None:
        self._sessions, self._data_dir, self._clock = sessions, data_dir, clock
        self._uses = Uses()

    async def used(self, environment: Environment) -> None:
        """Write down that an environment is about to be used. Known at once to `reap`, even before it is written."""
        if environment.root is None:
            return
        now = self._clock.now()
        if self._uses.note(environment.key, now):
            async with transaction(self._sessions) as session:
                await inventory_rows.used(session, environment, self._data_dir, now)

    async def reconcile(self, ready: Sequence[Ready]) -> None:
        """Make rows and folders agree. For start-up."""
        async with transaction(self._sessions) as session:
            await inventory_rows.reconcile(session, ready, self._data_dir, self._clock.now())

    async def standings(self, runtimes: Sequence[Runtime], running: Mapping[str, int]) -> list[Standing]:
        """Return everything on disk and how it stands; ``running`` as in `cleanup.Known`."""
        found = await anyio.to_thread.run_sync(inventory.scan, self._data_dir)
        async with transaction(self._sessions) as session:
            facts = await audit_environments.known(session, runtimes, running)
        return standings(found, facts)

    async def unneeded(
        self, runtimes: Sequence[Runtime], running: Mapping[str, int], unused_for: dt.timedelta
    ) -> list[Standing]:
        """Return what may be removed."""
        rows = await self.standings(runtimes, running)
        return reapable(rows, unused_for=unused_for, now=self._clock.now())

    async def remove(self, row: Standing, store: Store, unused_for: dt.timedelta) -> bool:
        """Remove one of `unneeded`; False when it has come into use since.

        Between the last look and the rename nothing else runs in this process, so nobody can begin to use it there.
        """
        since, before = self._uses.since(row.found.key), self._clock.now() - max(unused_for, LEAST_UNUSED)
        if in_use(row) or (since is not None and since > before):
            return False
        gone = store.take_away(row.found.key)
        if gone is None:
            return False
        self._uses.forget(row.found.key)
        if row.found.sort is Sort.environment:
            async with transaction(self._sessions) as session:
                await inventory_rows.forget(session, [row.found.key])
        await anyio.to_thread.run_sync(remove_tree, gone)
        return True


def running_in(processes: Sequence[Running]) -> Mapping[str, int]:
    """Return how many processes run in each environment, by key, as their labels say."""
    return Counter(key for process in processes if (key := process.labels.get("environment")))
