"""Who builds next: a bounded number at once, visitors before work done ahead of time, each told its place.

Like a semaphore that says how long the queue is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

Place: TypeAlias = Callable[[int | None], None]
"""Hears the place in the queue, from 1, each time it changes, and None once the wait is over."""


@dataclass(slots=True, eq=False)
class _Ticket:
    name: str
    place: Place
    patient: bool
    called: asyncio.Event = field(default_factory=asyncio.Event)
    told: int | None = None


class Turns:
    """At most ``count`` blocks run at once; the others wait in the order they came, patient ones behind the rest."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: list[_Ticket] = []

    def full(self) -> bool:
        """Return whether somebody who came now would have to wait."""
        return self._free <= 0 or bool(self._queue)

    @contextlib.asynccontextmanager
    async def turn(self, place: Place, *, name: str = "", patient: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the length of the block. A waiter that is cancelled leaves the queue."""
        ticket = _Ticket(name, place, patient)
        self._stand(ticket)
        self._call()
        try:
            await ticket.called.wait()
            yield
        finally:
            self._leave(ticket)

    def hurry(self, name: str, *, patient: bool) -> None:
        """Let the waiter called ``name`` go before patient ones, unless it still is ``patient``. Unknown is fine."""
        ticket = next((each for each in self._queue if each.name == name and each.patient), None)
        if ticket is not None and not patient:
            self._queue.remove(ticket)
            ticket.patient = False
            self._stand(ticket)
            self._call()

    def _stand(self, ticket: _Ticket) -> None:
        ahead = len(self._queue) if ticket.patient else sum(not each.patient for each in self._queue)
        self._queue.insert(ahead, ticket)

    def _leave(self, ticket: _Ticket) -> None:
        if ticket.called.is_set():
            self._free += 1
        else:
            self._queue.remove(ticket)
        self._call()

    def _call(self) -> None:
        while self._free > 0 and self._queue:
            ticket = self._queue.pop(0)
            self._free -= 1
            ticket.called.set()
            _tell(ticket, None)
        for number, ticket in enumerate(self._queue, start=1):
            _tell(ticket, number)


def _tell(ticket: _Ticket, place: int | None) -> None:
    if ticket.told != place:
        ticket.told = place
        ticket.place(place)


def nobody(place: int | None) -> None:
    """Hear a place and tell nobody."""
