"""Pools of content processes as control pushed them, how busy each process is, and which one takes a request.

No I/O here. A process that is not listed any more gets no new requests, but its open connections are still counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

STICKY_OVERDRAFT = 2  # a returning visitor may exceed the room of the process that holds the session, up to this factor


class Process:
    """One content process. ``load`` counts requests and WebSockets it holds."""

    __slots__ = ("key", "listed", "load", "pool", "reachable", "room", "socket")

    def __init__(self, pool: Pool, key: str, socket: str, room: int) -> None:
        self.pool = pool
        self.key = key
        self.socket = socket
        self.room = room
        self.load = 0
        self.listed = True
        self.reachable = True  # until the next push of its pool

    def take(self) -> None:
        self.load += 1
        self.pool.load_changed(self.key)

    def leave(self) -> None:
        self.load -= 1
        pool = self.pool
        pool.load_changed(self.key)
        if pool.waiting:
            pool.wake()
        if not self.listed and not self.load:
            pool.leaving.pop(self.key, None)


class Pool:
    """The processes of one item (or draft), and who waits for room among them.

    Args:
        to_tell: where the pool puts itself when control does not know its loads any more.
    """

    __slots__ = ("_to_tell", "changed", "comfort", "leaving", "name", "processes", "waiting")

    def __init__(self, name: str, to_tell: list[Pool]) -> None:
        self.name = name
        self._to_tell = to_tell
        self.comfort = 0  # connections per process above which one more is asked for; 0 is never
        self.processes: dict[str, Process] = {}
        self.leaving: dict[str, Process] = {}
        self.changed: set[str] = set()  # keys whose load control has not been told
        self.waiting: list[asyncio.Future[None]] = []

    def update(self, rows: Iterable[dict[str, Any]], comfort: int) -> list[Process]:
        """Take over a push; returns the processes that are listed no more."""
        self.comfort = comfort
        listed: dict[str, Process] = {}
        for row in rows:
            key = str(row["key"])
            process = self.processes.get(key) or self.leaving.pop(key, None)
            if process is None or process.socket != row["socket"]:
                process = Process(self, key, str(row["socket"]), 0)
            process.room, process.listed, process.reachable = int(row["room"]), True, True
            listed[key] = process
        gone = [process for key, process in self.processes.items() if key not in listed]
        for process in gone:
            process.listed = False
            if process.load:
                self.leaving[process.key] = process
        self.processes = listed
        self.wake()
        return gone

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def load_changed(self, key: str) -> None:
        if not self.changed:
            self._to_tell.append(self)
        self.changed.add(key)

    def loads(self) -> dict[str, int]:
        """Return the loads that changed since the last call."""
        everyone = self.all_loads()
        found = {key: everyone.get(key, 0) for key in self.changed}
        self.changed.clear()
        return found

    def all_loads(self) -> dict[str, int]:
        return {key: process.load for key, process in (self.leaving | self.processes).items()}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it: no process, no open connection, nobody waiting."""
        return not (self.processes or self.leaving or self.waiting or self.changed)

    def choose(self, sticky: Sequence[bytes]) -> Process | None:
        return choose(self.processes, sticky)


def choose(processes: dict[str, Process], sticky: Sequence[bytes] = ()) -> Process | None:
    """Return the process a request goes to: the one the visitor had, else the least busy with room, else None."""
    for wanted in sticky:
        had = processes.get(wanted.decode("latin-1"))
        if had is not None and had.reachable and had.load < had.room * STICKY_OVERDRAFT:
            return had
    best: Process | None = None
    for process in processes.values():
        if process.load < process.room and process.reachable and (best is None or process.load < best.load):
            best = process
    return best


def wants_one_more(pool: Pool, taken: Process) -> bool:
    """Whether the least busy process, now holding one more, is busier than is comfortable."""
    return 0 < pool.comfort < taken.load
