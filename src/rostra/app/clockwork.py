"""Lets schedules run: looks when the next one is due, waits until then, and begins what is due."""

from __future__ import annotations

import asyncio
import datetime as dt

import sqlalchemy as sa
import structlog

from rostra.app.reports import Reports
from rostra.content.tables import Item, Rendering
from rostra.db.engine import transaction
from rostra.jobs.bell import woken_within
from rostra.rendering import retention, schedules
from rostra.rendering.schedules import Due

log = structlog.get_logger()

LOOK_EVERY = 15.0  # seconds; another server, or a moved clock, may have changed what is due
SWEEP_EVERY = dt.timedelta(days=1)
_BATCH = 20
_DATABASE_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)


class Clockwork:
    """One for each control process; any number may run on one database."""

    def __init__(self, reports: Reports) -> None:
        self._reports, self._tools, self._tasks = reports, reports.tools, reports.tasks
        self._swept: dt.datetime | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        with self._tasks.bell.listening(schedules.CHANGED) as woken:
            while True:
                woken.clear()
                try:
                    await self.tick()
                    await self._sweep()
                    seconds = await self._pause()
                except _DATABASE_AWAY as why:
                    log.warning("the schedules cannot be read; trying again", why=str(why.orig))
                    seconds = LOOK_EVERY
                await woken_within(woken, seconds)

    async def tick(self) -> int:
        """Begin everything that is due; return how many schedules were."""
        total = 0
        while True:
            async with transaction(self._tools.reading) as session:
                soonest = await schedules.soonest(session)
            if soonest is None or soonest > self._tools.clock.now():
                return total
            found = await self._begin_some()
            total += found
            if not found:  # another server has them
                return total

    async def _begin_some(self) -> int:
        async with transaction(self._tools.sessions) as session:

            async def start(due: Due) -> None:
                await self._reports.start_due(session, due)

            return await schedules.run_due(session, self._tools.clock.now(), start, most=_BATCH)

    async def _pause(self) -> float:
        async with transaction(self._tools.reading) as session:
            soonest = await schedules.soonest(session)
        if soonest is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max(0.05, (soonest - self._tools.clock.now()).total_seconds()))

    async def _sweep(self) -> None:
        """Once a day, also right after the start: remove the renderings that grew old without a new one."""
        now = self._tools.clock.now()
        if self._swept is not None and now - self._swept < SWEEP_EVERY:
            return
        async with transaction(self._tools.reading) as session:
            wanted = sa.select(Item.guid).join(Rendering, Rendering.item_id == Item.id).group_by(Item.guid)
            guids = (await session.execute(wanted)).scalars().all()
        for guid in guids:
            for folder in await retention.sweep(self._tools, guid):
                log.info("rendering removed, it is not kept any longer", folder=folder)
            await asyncio.sleep(0)
        self._swept = now
