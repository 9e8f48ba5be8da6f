"""What a walk reads of its items and stores of its results: many at a time, so that an item more costs little.

Both keep what a crash must not change: an item counts as judged when its result is committed, and not before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rostra.content import deploy
from rostra.content.deploy import Work
from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import About
from rostra.rehearsal.target import Wish

AT_A_TIME = 20  # few enough that what was read is still so when its turn comes


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item to be judged, or why it cannot be."""

    about: About
    work: Work | Problem


class Ahead:
    """Hands out the items to be judged in their order.

    ``gone`` is told how many were taken out: deleted, or moved off what is retired, since the rehearsal began.
    """

    def __init__(
        self, bench: Bench, rehearsal_id: str, wish: Wish, left: Sequence[str], gone: Callable[[int], None]
    ) -> None:
        self._bench, self._id, self._wish, self._gone = bench, rehearsal_id, wish, gone
        self._left, self._read = deque(left), deque[Waiting]()
        self._reading = asyncio.Lock()

    async def next(self) -> Waiting | None:
        """Return the next item, None when there is none left."""
        async with self._reading:
            while self._left and not self._read:
                some = [self._left.popleft() for _ in range(min(AT_A_TIME, len(self._left)))]
                self._read.extend(await self._these(some))
        return self._read.popleft() if self._read else None

    async def again(self, guid: str) -> Waiting | None:
        """Return an item as it is now; None, and it is taken out, when it is not affected any more."""
        return next(iter(await self._these([guid])), None)

    async def _these(self, guids: Sequence[str]) -> list[Waiting]:
        tools = self._bench.tools
        async with transaction(tools.reading) as session:
            live = await records.live(session, guids, tools.server_url, tools.clock.now())
            found = {guid: each for guid, each in live.items() if self._wish.retires(each.about.version)}
            ready = [Waiting(found[guid].about, _work(found[guid])) for guid in guids if guid in found]
        if going := [guid for guid in guids if guid not in found]:
            async with transaction(tools.sessions) as session:
                await records.drop(session, self._id, going)
            self._gone(len(going))
        return ready


def _work(live: records.Live) -> Work | Problem:
    try:
        return deploy.work(live.item, live.bundle)
    except Problem as why:
        return why


class Ledger:
    """Stores results; those that arrive while others are being committed go together. ``stored`` is told each."""

    def __init__(self, bench: Bench, rehearsal_id: str, stored: Callable[[Mapping[str, Any]], None]) -> None:
        self._bench, self._id, self._stored = bench, rehearsal_id, stored
        self._results: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()

    def add(self, result: Mapping[str, Any]) -> None:
        self._results.put_nowait(result)

    def close(self) -> None:
        """Let `keep` end when everything is stored."""
        self._results.put_nowait(None)

    async def keep(self) -> None:
        """Store what is added, until it is closed."""
        closed = False
        while not closed:
            arrived = [await self._results.get()]
            while not self._results.empty():
                arrived.append(self._results.get_nowait())
            closed = None in arrived
            results = [each for each in arrived if each is not None]
            if results:
                async with transaction(self._bench.tools.sessions) as session:
                    await records.store(session, self._id, results)
            for result in results:
                self._stored(result)
