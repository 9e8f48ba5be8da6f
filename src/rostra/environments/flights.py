"""What is being built now: one flight for each key, and everyone who waits for it hears how far it is."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from rostra.environments.errors import InstallFailed
from rostra.environments.site import Say
from rostra.environments.turns import Place

REMEMBERED = 200  # lines told to somebody who joins later


@dataclass(frozen=True, slots=True)
class Listener:
    """Who waits: hears lines and the place in the queue. ``patient`` has time."""

    say: Say
    place: Place
    patient: bool = False


@dataclass(slots=True, eq=False)
class Flight:
    """One key that is being built. Who waits shares the outcome, good or bad; ``lock`` is held by who builds."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failure: InstallFailed | None = None
    listeners: list[Listener] = field(default_factory=list)
    lines: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=REMEMBERED))
    stands: int | None = None

    def say(self, line: str) -> None:
        self.lines.append(line)
        for listener in self.listeners:
            listener.say(line)

    def place(self, place: int | None) -> None:
        self.stands = place
        for listener in self.listeners:
            listener.place(place)

    @property
    def patient(self) -> bool:
        """Whether everyone who waits has time."""
        return all(listener.patient for listener in self.listeners)


class Flights:
    """All flights of one store."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    @contextlib.contextmanager
    def aboard(self, key: str, listener: Listener) -> Iterator[Flight]:
        """Listen to the flight of ``key`` for the length of the block; somebody who joins is told what was said."""
        flight = self._flights.setdefault(key, Flight())
        if flight.lock.locked():
            listener.say(f"Environment {key} is being built for other content; waiting for it")
            for line in flight.lines:
                listener.say(line)
            listener.place(flight.stands)
        flight.listeners.append(listener)
        try:
            yield flight
        finally:
            flight.listeners.remove(listener)
            if not flight.listeners:
                self._flights.pop(key, None)
