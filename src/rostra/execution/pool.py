"""Keeps the right number of processes running for everything that is visited.

One `Pools` lives in the control process. It starts a process when the first visitor comes, more when those there get
busy, ends what is idle, starts again what crashed, and lets the old drain when something new takes its place.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from rostra.clock import Clock, SystemClock
from rostra.errors import Problem
from rostra.execution import sockets
from rostra.execution.keeper_client import KeeperAway
from rostra.execution.launcher import Launch, Launcher, Running
from rostra.execution.members import (
    Member,
    NoSuchPool,
    Phase,
    Pool,
    PoolSpec,
    Process,
    StartFailed,
    belongs,
)
from rostra.execution.processes import GRACE_SECONDS, Ended, Processes, Started
from rostra.ids import PoolKey, ProcessKey, new_key

__all__ = ["Member", "NoSuchPool", "PoolSpec", "Pools", "StartFailed"]

log = structlog.get_logger()

DRAIN_SECONDS = 300.0
TICK_SECONDS = 0.5
PROOF_TIMEOUT = dt.timedelta(seconds=60)


async def _nothing(*_: Any) -> None:
    return None


class Pools:
    """All pools of one server. Use as ``async with``; leaving the block leaves the processes running.

    ``on_change(key, members, comfort)`` is called, without waiting, after each change of what a pool announces.
    ``on_started(launch, running, pool)`` and ``on_ended(process, code, asked)`` are awaited one after the other, in the
    order things happened; ``asked`` tells an end that was wanted from a crash.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        clock: Clock | None = None,
        on_change: Callable[[PoolKey, tuple[Member, ...], int], None] = lambda *_: None,
        on_started: Started = _nothing,
        on_ended: Ended = _nothing,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._launcher = launcher
        self._clock = clock or SystemClock()
        self._on_change = on_change
        self._pools: dict[PoolKey, Pool] = {}
        self._processes = Processes(launcher, self._clock, self._gone, on_started, on_ended)
        self._tick_seconds = tick_seconds

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        self._processes.own(self._keep_ticking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._processes.__aexit__(kind, what, trace)

    # What runs

    async def define(
        self, spec: PoolSpec, *, first: Member | None = None, drain_seconds: float = DRAIN_SECONDS
    ) -> None:
        """Say what runs under ``spec.key``, in place of what did.

        With the labels it had, only limits and times change. With others, or with a proven ``first`` process, the old
        processes get no new requests from the same moment on and end when nobody uses them, after ``drain_seconds`` in
        any case.
        """
        old = self._pools.get(spec.key)
        if old and first is None and old.spec.labels == spec.labels:
            old.spec = spec
            self._announce(old)
            return
        pool = self._pools[spec.key] = Pool(spec)
        if first:
            self._join(pool, first)
        self._replace(old, drain_seconds)
        self._announce(pool)

    async def retire(self, key: PoolKey, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Run nothing under ``key`` any more. An unknown key is fine."""
        if old := self._pools.pop(key, None):
            self._replace(old, drain_seconds)
            self._on_change(key, (), 0)

    async def restart(self, key: PoolKey, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Let the processes of ``key`` drain and start others when they are asked for, forgetting earlier failures."""
        old = self._known_pool(key)
        pool = self._pools[key] = Pool(old.spec)
        self._replace(old, drain_seconds)
        self._announce(pool)

    def relabel(self, key: PoolKey, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Let what starts under ``key`` from now on carry other labels, when those there are ``before``.

        For a change that does not touch what runs already; after a restart of the server that is not taken over.
        """
        pool = self._pools.get(key)
        if pool is not None and pool.spec.labels == before:
            pool.spec = dataclasses.replace(pool.spec, labels=now)

    def defined(self, key: PoolKey) -> PoolSpec | None:
        pool = self._pools.get(key)
        return pool.spec if pool else None

    def members(self, key: PoolKey) -> tuple[Member, ...]:
        """Return the processes that take new requests, the least busy first."""
        return self._known_pool(key).members()

    def announcements(self) -> dict[PoolKey, tuple[tuple[Member, ...], int]]:
        """Return what ``on_change`` last said of every pool: members and comfort."""
        return {key: (pool.members(), pool.spec.limits.comfort) for key, pool in self._pools.items()}

    def condition(self, key: PoolKey) -> tuple[bool, Problem | None]:
        """Return whether a process is being started now, and why the last start failed (None: it did not)."""
        pool = self._known_pool(key)
        return pool.flight is not None, pool.last_failure

    def load_of(self, key: ProcessKey) -> int:
        """Return the open connections of one process, 0 when it is not known."""
        process = self._processes.known.get(key)
        return process.load if process else 0

    # What visitors need

    async def ensure(self, key: PoolKey) -> Member:
        """Return a process that answers, starting one when there is none. Any number may wait for the same start.

        Raises:
            NoSuchPool: nothing is defined under ``key``.
            StartFailed: it did not get ready, or has failed so often that the next try is still to come.
            Problem: whatever ``make_launch`` raised.
        """
        while True:
            pool = self._known_pool(key)
            if ready := pool.ready():
                return pool.member(ready[0])
            if pool.last_failure and pool.failures.failing(self._clock.now()):
                raise pool.last_failure
            outcome = await asyncio.shield(self._flight(pool))
            if self._pools.get(key) is not pool:
                continue  # it was replaced meanwhile
            if isinstance(outcome, Problem):
                raise outcome

    async def ask_for_room(self, key: PoolKey) -> bool:
        """Start one more process and wait for it; False when there may be no more or it fails."""
        pool = self._pools.get(key)
        if pool is None or pool.failures.failing(self._clock.now()):
            return False
        if pool.is_full():
            self._leave_out_deaf(pool.ready())
        if pool.is_full():
            return False
        outcome = await asyncio.shield(self._flight(pool))
        return isinstance(outcome, Process) and self._pools.get(key) is pool

    def loads(self, key: PoolKey, loads: Mapping[ProcessKey, int]) -> None:
        """Take the open connections of some processes of ``key``; those not named keep what they had."""
        self._carry(loads)
        if pool := self._pools.get(key):
            self._grow(pool)

    def hello(self, loads: Mapping[ProcessKey, int]) -> None:
        """Take the open connections of all processes from a gateway that connected; those not named have none."""
        self._carry({key: loads.get(key, 0) for key in self._processes.known})

    def unreachable(self, key: ProcessKey) -> None:
        """Look at a process a visitor could not be connected to, and at its fellows: what ended one may have ended all.

        Those that do not answer are left out at once, so that whoever asks next gets a new one, and are ended.
        """
        process = self._processes.known.get(key)
        if process is None or process.phase is not Phase.ready:
            return
        self._leave_out_deaf(process.pool.ready() if process.pool else [process])

    def _leave_out_deaf(self, processes: Sequence[Process]) -> None:
        """Give the place of those that do not answer to others before their end has been told, and end them."""
        for process in processes:
            if sockets.accepts(process.socket):
                continue
            process.deaf = True
            log.warning("process does not answer", process=process.key)
            # Not `end`: it counts as a crash, so that a pool whose processes go deaf backs off.
            self._processes.own(self._processes.stop(process.key, 1.0))
            if process.pool:
                self._announce(process.pool)

    # Proving

    async def prove(self, launch: Launch, *, init_timeout: dt.timedelta = PROOF_TIMEOUT) -> Member:
        """Start a process outside of any pool and wait until it answers. Adopt it, or `discard` it.

        ``launch.labels`` should say which pool it is going to join, ``pool`` included: a server that is restarted
        between the switch and now would not know it otherwise.

        Raises:
            StartFailed: it did not get ready; nothing of it is left.
        """
        outcome = await self._processes.bring_up(launch, None, init_timeout)
        if isinstance(outcome, Problem):
            raise outcome
        return Member(outcome.key, outcome.socket)

    async def adopt(self, key: PoolKey, member: Member) -> None:
        """Make a proven process one of the pool ``key``."""
        pool = self._known_pool(key)
        self._join(pool, member)
        self._announce(pool)

    async def discard(self, member: Member) -> None:
        """End a proven process that is not needed."""
        await self.end(member.key)

    async def end(self, key: ProcessKey, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """End one process because somebody wants it. Returns once nothing of it is left."""
        process = self._processes.known.get(key)
        if process is None:
            return
        ending = self._processes.own(self._processes.end(process, grace_seconds))
        if process.pool:
            process.phase = Phase.ending
            self._announce(process.pool)
        await asyncio.shield(ending)

    async def end_all(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """End every process because the server stops. Returns once nothing is left and every end is written down."""
        self._pools.clear()  # nothing is started again, and what is being started ends itself
        known = tuple(self._processes.known.values())
        await asyncio.gather(*(self._processes.end(process, grace_seconds) for process in known))
        await self._processes.written_down(known)

    # After a restart of the server

    async def reconcile(self, spec_of: Callable[[PoolKey], Awaitable[PoolSpec | None]]) -> tuple[int, int]:
        """Take over what the launcher has running and end what belongs to nothing; return how many of each.

        ``spec_of`` returns what should run under a key, None when nothing should.
        """
        taken = ended = 0
        for running in await self._launcher.running():
            if running.key in self._processes.known:
                continue
            key = PoolKey(running.labels.get("pool", ""))
            spec = await spec_of(key) if key else None
            if spec and belongs(running, spec) and await self._take_over(running, spec):
                taken += 1
            else:
                ended += 1
                await self._processes.stop(running.key)
        return taken, ended

    # Time

    async def tick(self) -> None:
        """Do what is due by the clock. Runs by itself twice a second."""
        now = self._clock.now()
        for process in tuple(self._processes.known.values()):
            if process.phase is Phase.draining and process.is_drained(now):
                self._processes.own(self._processes.end(process))
        for pool in tuple(self._pools.values()):
            if pool.processes or pool.revive or pool.spec.limits.min_processes:
                self._shrink(pool, now)
                pool.settle(now)
                self._grow(pool)

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds)
            try:
                await self.tick()
            except Exception:
                log.exception("the pools could not be looked after")

    def _shrink(self, pool: Pool, now: dt.datetime) -> None:
        going = pool.surplus(now)
        for process in going:
            log.info("process idle", process=process.key, pool=pool.spec.key)
            process.drain(now, DRAIN_SECONDS)
        if going:
            self._announce(pool)

    def _grow(self, pool: Pool) -> None:
        if pool.wants_more(self._clock.now()):
            self._flight(pool)

    # Starting

    def _flight(self, pool: Pool) -> asyncio.Task[Process | Problem]:
        """Return the start that is under way for ``pool``, beginning one when there is none."""
        if pool.flight is None:
            pool.flight = self._processes.own(self._fly(pool))
        return pool.flight

    async def _fly(self, pool: Pool) -> Process | Problem:
        try:
            outcome = await self._start(pool)
        finally:
            pool.flight = None
        if self._pools.get(pool.spec.key) is not pool:
            if isinstance(outcome, Process):
                self._processes.own(self._processes.end(outcome))
        elif isinstance(outcome, Process):
            pool.revive = False
            self._announce(pool)
        else:
            self._failed(pool, outcome)
        return outcome

    async def _start(self, pool: Pool) -> Process | Problem:
        try:
            launch = await pool.spec.make_launch(ProcessKey(new_key()))
            return await self._processes.bring_up(launch, pool, pool.spec.init_timeout)
        except Problem as why:
            return why
        except Exception:
            log.exception("a process could not be started", pool=pool.spec.key)
            return StartFailed("the server failed while it started the process; its log says why")

    def _failed(self, pool: Pool, why: Problem) -> None:
        log.warning("process failed to start", pool=pool.spec.key, why=why.message)
        if isinstance(why, KeeperAway):
            return  # not the content's fault; the next visitor may try at once
        pool.failed(why, self._clock.now())

    # Ending

    def _gone(self, process: Process) -> None:
        pool = process.pool
        if pool is None or process.phase is not Phase.ready:
            return
        pool.revive = pool.revive or process.load > 0
        if not process.lost:
            pool.crashed(process, self._clock.now())
            log.warning("process crashed", process=process.key, pool=pool.spec.key, code=process.code)
        self._announce(pool)

    def _replace(self, old: Pool | None, drain_seconds: float) -> None:
        for process in tuple(old.processes.values()) if old else ():
            if process.phase is Phase.ready:
                process.drain(self._clock.now(), drain_seconds)

    # Small things

    def _join(self, pool: Pool, member: Member) -> None:
        process = self._processes.known.get(member.key)
        if process is None or process.phase is not Phase.ready:
            raise StartFailed("the process that was proven has ended since")
        process.pool = pool
        pool.processes[process.key] = process
        process.enter(Phase.ready, self._clock.now())

    async def _take_over(self, running: Running, spec: PoolSpec) -> bool:
        pool = self._pools.setdefault(spec.key, Pool(spec))
        path = Path(running.labels.get("log", "/dev/null"))
        process = Process(running.key, running.socket, path, pool, self._clock.now())
        if not await self._processes.take_over(running, process, spec.init_timeout):
            return False
        self._announce(pool)
        return True

    def _carry(self, loads: Mapping[ProcessKey, int]) -> None:
        now = self._clock.now()
        for key, load in loads.items():
            if process := self._processes.known.get(key):
                process.carries(load, now)

    def _announce(self, pool: Pool) -> None:
        if self._pools.get(pool.spec.key) is pool:
            self._on_change(pool.spec.key, pool.members(), pool.spec.limits.comfort)

    def _known_pool(self, key: PoolKey) -> Pool:
        pool = self._pools.get(key)
        if pool is None:
            raise NoSuchPool(key)
        return pool
