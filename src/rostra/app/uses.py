"""Remembers that people and their credentials were used, so that a browser in use does not fall out of its session.

Written in batches: a decision for the gateway must not wait for the database's only writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
import structlog

from rostra.auth import credentials
from rostra.auth.principals import Principal
from rostra.clock import Clock
from rostra.db.engine import Sessions, transaction

log = structlog.get_logger()

EVERY_SECONDS = 5.0


class Uses:
    """One for each control process. Use ``kept`` as the block everything else runs in."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._waiting: dict[tuple[str, str], Principal] = {}

    def note(self, principal: Principal | None) -> None:
        """Remember a use; at most one a minute of each credential is worth writing."""
        if principal is not None and credentials.is_due(principal, self._clock.now()):
            self._waiting[principal.via, principal.credential_id] = principal

    async def flush(self) -> None:
        """Write what waits; what cannot be written is not worth keeping."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            async with transaction(self._sessions) as session:
                for principal in waiting.values():
                    await credentials.seen(session, principal, self._clock.now())
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
            log.warning("the last use of credentials was not written down", why=str(why.orig))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Write every few seconds while the block runs, and at its end."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._keep())
            yield
            writing.cancel()
        await self.flush()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.flush()
