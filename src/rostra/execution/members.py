"""What pools are made of: the description of one, its processes, and what others are told about them. No tasks here."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rostra.errors import NotFound, Problem, Unavailable
from rostra.execution import logs, scaling
from rostra.execution.failures import STEADY, Failures
from rostra.execution.launcher import Launch, Running
from rostra.execution.logs import LogLine
from rostra.execution.scaling import Limits
from rostra.ids import PoolKey, ProcessKey

SHOWN_LINES = 40
SETTLE = dt.timedelta(seconds=1)  # after this long, everyone knows that a process gets no new requests


@dataclass(frozen=True, slots=True)
class Member:
    """A process that answers. ``room`` is how many connections it may hold."""

    key: ProcessKey
    socket: Path
    room: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """One pool: what runs in it and how many.

    ``make_launch`` is asked at each start, with the new process's key; a `Problem` it raises is what visitors hear.
    ``labels`` say what the pool runs (the bundle, for one): processes with other labels are not taken for this pool's.
    """

    key: PoolKey
    make_launch: Callable[[ProcessKey], Awaitable[Launch]]
    limits: Limits = field(default_factory=Limits)
    init_timeout: dt.timedelta = dt.timedelta(seconds=60)
    idle_timeout: dt.timedelta = dt.timedelta(seconds=120)
    labels: Mapping[str, str] = field(default_factory=dict)


class Phase(StrEnum):
    starting = "starting"
    ready = "ready"
    draining = "draining"  # gets no new requests, ends when its connections have
    ending = "ending"  # has been told to end


@dataclass(slots=True, eq=False)
class Process:
    """What is known of one process. ``pool`` is None for one that proves a bundle, until it is adopted."""

    key: ProcessKey
    socket: Path
    log: Path
    pool: Pool | None
    since: dt.datetime  # of its phase
    phase: Phase = Phase.starting
    load: int = 0
    idle_since: dt.datetime | None = None
    drain_until: dt.datetime | None = None
    code: int | None = None
    lost: bool = False  # it ended together with what held it
    deaf: bool = False  # nobody answers on its socket any more; its end is only a matter of time
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, phase: Phase, now: dt.datetime) -> None:
        self.phase, self.since = phase, now
        self.idle_since = now if phase is Phase.ready else None

    def carries(self, load: int, now: dt.datetime) -> None:
        if load == 0 and self.load > 0:
            self.idle_since = now
        self.load = load

    def drain(self, now: dt.datetime, seconds: float) -> None:
        """Give it no new requests; it ends when nobody uses it, after ``seconds`` in any case."""
        self.enter(Phase.draining, now)
        self.drain_until = now + dt.timedelta(seconds=seconds)

    def is_drained(self, now: dt.datetime) -> bool:
        empty = self.load == 0 and now - self.since >= SETTLE
        return empty or (self.drain_until is not None and now >= self.drain_until)


@dataclass(slots=True, eq=False)
class Pool:
    """A pool and how it fares. Replaced, not changed, when it is to run something else."""

    spec: PoolSpec
    processes: dict[ProcessKey, Process] = field(default_factory=dict)
    failures: Failures = field(default_factory=Failures)
    last_failure: Problem | None = None
    revive: bool = False  # one crashed while it served somebody
    flight: asyncio.Task[Process | Problem] | None = None

    def ready(self) -> list[Process]:
        """Return the processes that answer, the least busy first."""
        answering = (p for p in self.processes.values() if p.phase is Phase.ready and not p.deaf)
        return sorted(answering, key=lambda p: p.load)

    def members(self) -> tuple[Member, ...]:
        return tuple(self.member(process) for process in self.ready())

    def member(self, process: Process) -> Member:
        return Member(process.key, process.socket, self.spec.limits.max_conns_per_process)

    def counted(self) -> int:
        """Return how many processes count towards the limits: those that answer and those on their way."""
        return sum(p.phase in (Phase.starting, Phase.ready) and not p.deaf for p in self.processes.values())

    def load(self) -> int:
        return sum(process.load for process in self.ready())

    def is_full(self) -> bool:
        """Say whether no further process may be started; one that is on its way may be waited for."""
        return self.flight is None and self.counted() >= self.spec.limits.max_processes

    def wants_more(self, now: dt.datetime) -> bool:
        """Say whether to start what nobody waits for: for comfort, the minimum, and again what crashed while in use."""
        if self.flight is not None or self.failures.pausing(now):
            return False
        count = self.counted()
        return scaling.wanted(self.load(), count, self.spec.limits) > count or (self.revive and count == 0)

    def surplus(self, now: dt.datetime) -> list[Process]:
        """Return the processes that have been idle for too long."""
        ready = self.ready()
        idle = {p.key: (now - p.idle_since).total_seconds() for p in ready if p.load == 0 and p.idle_since}
        going = scaling.surplus(idle, len(ready), self.spec.idle_timeout.total_seconds(), self.spec.limits)
        return [self.processes[key] for key in going]

    def failed(self, why: Problem, now: dt.datetime) -> None:
        """Take note that a start failed."""
        self.failures, self.last_failure = self.failures.another(now), why

    def crashed(self, process: Process, now: dt.datetime) -> None:
        """Take note that a process ended by itself; one that was steady for a while forgives what was before."""
        before = Failures() if now - process.since >= STEADY else self.failures
        self.failures, self.last_failure = before.another(now), describe_crash(process)

    def settle(self, now: dt.datetime) -> None:
        """Forget the failures once a process is steady."""
        if self.failures.count and any(now - process.since >= STEADY for process in self.ready()):
            self.failures, self.last_failure = Failures(), None


class NoSuchPool(NotFound):
    """Nothing runs under this key."""

    code = "no-such-pool"

    def __init__(self, key: PoolKey) -> None:
        self.key = key
        super().__init__(f"nothing is set up to run as {key}")


class StartFailed(Unavailable):
    """A process did not get so far as to answer, or did not last.

    ``exit_code`` is None when it ran but never listened. ``lines`` are the last it wrote. ``process`` names its log.
    """

    code = "start-failed"

    def __init__(self, why: str, process: Process | None = None, lines: Sequence[LogLine] = ()) -> None:
        self.process = process.key if process else None
        self.exit_code = process.code if process else None
        self.lines = tuple(lines)
        super().__init__(why, hint="Read the last lines of its log, correct the content and publish it again.")


def describe_failure(process: Process, init_timeout: dt.timedelta) -> StartFailed:
    """Return why ``process`` is not ready, with the end of its log."""
    lines = logs.read(process.log, SHOWN_LINES)
    if process.code is None:
        why = f"the process did not accept a connection within {init_timeout.total_seconds():g} s"
    elif process.code < 0:
        why = f"the process was ended by signal {-process.code} before it accepted a connection"
    else:
        why = f"the process ended with status {process.code} before it accepted a connection"
    return StartFailed(why, process, lines)


def describe_crash(process: Process) -> StartFailed:
    return StartFailed(
        f"the process ended by itself with status {process.code}", process, logs.read(process.log, SHOWN_LINES)
    )


def labels(spec_labels: Mapping[str, str], launch: Launch, pool: PoolKey | None) -> dict[str, str]:
    """Return what a process carries so that it is known again after a restart of the server."""
    own = {"log": str(launch.log)} | ({"pool": pool} if pool else {})
    return {**spec_labels, **launch.labels, **own}


def belongs(running: Running, spec: PoolSpec) -> bool:
    """Say whether a process found running is one that ``spec`` would start."""
    wanted = {**spec.labels, "pool": spec.key}
    return all(running.labels.get(name) == value for name, value in wanted.items())
