"""Wakes those who wait for something to change, within this process. Nothing is lost when nobody hears it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession


class Bell:
    """Any number of names, any number of listeners for each."""

    def __init__(self) -> None:
        self._listening: dict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, name: str) -> None:
        for woken in self._listening.get(name, ()):
            woken.set()

    def ring_after(self, session: AsyncSession, name: str) -> None:
        """Ring once ``session``'s transaction is committed; not at all when it is rolled back."""
        event.listen(session.sync_session, "after_commit", lambda _: self.ring(name), once=True)

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set by each ring. Clear it, *then* look, then wait: so nothing is missed."""
        woken = asyncio.Event()
        self._listening[name].add(woken)
        try:
            yield woken
        finally:
            self._listening[name].discard(woken)
            if not self._listening[name]:
                del self._listening[name]


async def woken_within(woken: asyncio.Event, seconds: float) -> bool:
    """Wait for the event at most so long; return whether it came."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await woken.wait()
    except TimeoutError:
        return False
    return True
