"""Looks at repositories for new commits: when the next one is due, and every now and then."""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from rostra.app.git_work import GitWork
from rostra.content import repositories
from rostra.content.tables import Item
from rostra.db.engine import transaction
from rostra.jobs.bell import woken_within

log = structlog.get_logger()

LOOK_EVERY = 15.0  # seconds; another server, or a moved clock, may have changed what is due
_BATCH = 20
_DATABASE_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)


class GitPolling:
    """One for each control process; any number may run on one database."""

    def __init__(self, work: GitWork) -> None:
        self._work, self._tools = work, work.tools

    async def run(self) -> None:
        """Work until cancelled."""
        with self._work.tasks.bell.listening(repositories.CHANGED) as woken:
            while True:
                woken.clear()
                try:
                    await self.tick()
                    seconds = await self._pause()
                except _DATABASE_AWAY as why:
                    log.warning("the repositories cannot be read; trying again", why=str(why.orig))
                    seconds = LOOK_EVERY
                await woken_within(woken, seconds)

    async def tick(self) -> int:
        """Begin looking at everything that is due; return how many repositories were."""
        total = 0
        while self._work.available:
            async with transaction(self._tools.reading) as session:
                soonest = await repositories.soonest(session)
            if soonest is None or soonest > self._tools.clock.now():
                break
            found = await self._begin_some()
            total += found
            if not found:  # another server has them
                break
        return total

    async def _begin_some(self) -> int:
        now, again = self._tools.clock.now(), self._tools.settings().git.polling_interval
        async with transaction(self._tools.sessions) as session:

            async def start(item: Item) -> None:
                await self._work.enqueue_poll(session, item)

            return await repositories.begin_due(session, now, again, start, most=_BATCH)

    async def _pause(self) -> float:
        if not self._work.available:
            return LOOK_EVERY
        async with transaction(self._tools.reading) as session:
            soonest = await repositories.soonest(session)
        if soonest is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max(0.05, (soonest - self._tools.clock.now()).total_seconds()))
