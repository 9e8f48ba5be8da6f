"""What all connections of one gateway share: decisions, pools, connections, and the line to control."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rostra.clock import Clock, SystemClock
from rostra.gateway import paths
from rostra.gateway.attendance import Attendance
from rostra.gateway.backend import BackendConnection, Backends
from rostra.gateway.connection import ClientConnection
from rostra.gateway.decide import Decision
from rostra.gateway.deciding import Deciding
from rostra.gateway.forwarding import Forwarding
from rostra.gateway.head import Request
from rostra.gateway.link import CONTROL_PATIENCE, ControlAway, Link, Message
from rostra.gateway.pools import Pool, Process, wants_one_more
from rostra.gateway.rights import Rights, Visit
from rostra.gateway.settings import Settings
from rostra.gateway.splice import Pair

HTML_PATIENCE = 1.5  # a person is shown a waiting page after this
PATIENCE = 900.0  # anyone else is told when the process is ready or has failed, at the latest after this
AGAIN_SECONDS = 0.05  # between two questions for a process
MORE_SECONDS = 2.0  # between two wishes for one more process of a pool
LOADS_SECONDS = 0.2
TICK_SECONDS = 1.0
MOST_VISITS = 1000  # told each second; more than that are not individual visits any more

Result = TypeVar("Result")
log = logging.getLogger("rostra.gateway")


class Plane:
    """One data plane. ``run`` owns every task it starts.

    Args:
        run_dir: holds ``control.sock`` and ``decide.sock``; sockets of processes are relative to it or absolute.
    """

    def __init__(self, run_dir: Path, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.forwarding = Forwarding(settings)
        self.control_path = str(run_dir / "control.sock")
        self.backends = Backends()
        self.clients: set[ClientConnection] = set()
        self.pairs: set[Pair] = set()
        self.draining = False
        self.now = time.monotonic
        self._run_dir = run_dir
        self._clock = clock or SystemClock()
        self._vanities = paths.Vanities()
        self.told_vanities = asyncio.Event()  # until control has said them, any path may be one
        self._pools: dict[str, Pool] = {}
        self._starting: dict[str, asyncio.Task[bool | None]] = {}
        self._more_at: dict[str, float] = {}
        self._changed: list[Pool] = []
        self._visits: list[list[Any]] = []
        self._attendance = Attendance()
        self._tasks: asyncio.TaskGroup
        self.link = Link(str(run_dir / "decide.sock"), self._hello, self._heard)
        self.deciding = Deciding(self.link, self.spawn, time.monotonic)
        self.decisions = self.deciding.decisions
        self._rights = Rights(self._open_visits, self.deciding.decide)

    # Life

    async def run(self, stop: asyncio.Event, server: asyncio.Server) -> None:
        """Serve until ``stop``, then let requests finish, up to the bound of the settings."""
        async with asyncio.TaskGroup() as self._tasks:
            always = [self._tasks.create_task(work) for work in self._always()]
            await stop.wait()
            server.close()
            await self._drain()
            await asyncio.sleep(0)  # what was closed has ended then
            self._tell_sessions()
            self.backends.close()
            self.deciding.close()
            for task in (*always, *self._starting.values()):
                task.cancel()

    def _always(self) -> tuple[Coroutine[Any, Any, None], ...]:
        return self.link.run(), self._rights.watch(), self._tell_loads(), self._tick()

    async def _drain(self) -> None:
        self.draining = True
        for client in tuple(self.clients):
            client.end_if_idle()
        until = self.now() + self.settings.drain_timeout
        while (self.clients or self.pairs) and self.now() < until:  # noqa: ASYNC110  # ten kinds of end, one look
            await asyncio.sleep(0.05)
        for pair in tuple(self.pairs):
            pair.close()
        for client in tuple(self.clients):
            client.abort()

    def spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start ``work`` in the plane's own group; it must not raise."""
        return self._tasks.create_task(work)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._sweep(self.now())
                self._tell_visits()
                self._tell_sessions()
            except Exception:
                log.exception("sweeping failed")

    def _sweep(self, now: float) -> None:
        """End what has been silent for too long, and forget what would not be used again."""
        settings = self.settings
        for client in tuple(self.clients):
            client.check(now)
        for pair in tuple(self.pairs):
            pair.check(now, connection_timeout=settings.connection_timeout, read_timeout=settings.read_timeout)
        self.backends.sweep()
        self.decisions.forget_expired(now)

    def _open_visits(self) -> list[Visit]:
        exchanges = [client.exchange for client in self.clients if client.exchange is not None]
        return [*self.pairs, *exchanges]

    # Where things are

    def prefix_of(self, path: bytes) -> bytes | None:
        return paths.prefix_of(path, self._vanities)

    async def known_prefix_of(self, path: bytes) -> bytes | None:
        """The same, after waiting a little for control to say which vanity paths there are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONTROL_PATIENCE):
                await self.told_vanities.wait()
        return self.prefix_of(path)

    def external(self, path: bytes) -> bytes:
        """Return ``path`` as visitors see it, below the server's own prefix."""
        prefix = self.forwarding.prefix
        return path if not prefix or path.startswith(prefix + b"/") else prefix + path

    async def reach_control(self) -> BackendConnection:
        """Return a connection to control, waiting a little when it is being restarted.

        Raises:
            ControlAway: it stays away.
        """
        until = self.now() + CONTROL_PATIENCE
        while True:
            try:
                return await self.backends.connect(self.control_path)
            except OSError:
                if self.now() > until:
                    raise ControlAway from None
                await asyncio.sleep(0.05)

    # Processes

    def pool(self, name: str) -> Pool:
        found = self._pools.get(name)
        if found is None:
            found = self._pools[name] = Pool(name, self._changed)
        return found

    def taken(self, process: Process) -> None:
        """``process`` has just got one more: wish for another when it is uncomfortable, without waiting."""
        pool = process.pool
        if not wants_one_more(pool, process) or pool.name in self._starting:
            return
        if self.now() >= self._more_at.get(pool.name, 0.0):
            self._more_at[pool.name] = self.now() + MORE_SECONDS
            self._ask_for_process(pool)

    async def process_for(self, decision: Decision, request: Request) -> Process | bytes:
        """Return a process with room, asking control for one when there is none.

        Returns bytes, the reason, when the request is to be passed to control: ``starting`` or ``failed``.

        Raises:
            ControlAway: there is nobody to ask.
        """
        html = request.fields.wants_html and request.method == b"GET" and not request.is_websocket
        until = self.now() + (HTML_PATIENCE if html else PATIENCE)
        # Looked up anew each time: a pool whose processes all ended is forgotten, and a push makes another one.
        while (process := (pool := self.pool(decision.pool)).choose(request.fields.sticky)) is None:
            left = until - self.now()
            if left <= 0:
                return b"starting"
            asking = self._ask_for_process(pool)
            await self._something_changes(pool, asking, left)
            none = self.pool(decision.pool).choose(()) is None
            if none and asking.done() and not asking.cancelled() and not asking.result():
                if asking.result() is None:
                    raise ControlAway
                return b"failed"
        return process

    async def _something_changes(self, pool: Pool, asking: asyncio.Task[bool | None], seconds: float) -> None:
        """Wait for the answer or for room, whichever comes first."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pool.waiting.append(waiter)
        try:
            await asyncio.wait((asking, waiter), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            if waiter in pool.waiting:
                pool.waiting.remove(waiter)

    def _ask_for_process(self, pool: Pool) -> asyncio.Task[bool | None]:
        """Return the one question that is open for ``pool``: True ready, False not, None control is away."""
        asking = self._starting.get(pool.name)
        if asking is None:
            asking = self._starting[pool.name] = self._tasks.create_task(self._ask_process(pool.name))
        return asking

    async def _ask_process(self, pool: str) -> bool | None:
        try:
            await self.link.back()
            answer = await self.link.ask({"ask": "process", "pool": pool})
            await asyncio.sleep(
                AGAIN_SECONDS if answer.get("ready") else 0
            )  # full again already: do not ask in a circle
            return bool(answer.get("ready"))
        except ControlAway:
            return None
        except Exception:
            log.exception("asking for a process failed")
            return False
        finally:
            del self._starting[pool]

    def unreachable(self, process: Process) -> None:
        """Nobody listens on the socket of ``process``: leave it out until its pool is pushed again."""
        process.reachable = False
        self.backends.forget(process.socket)
        self.link.tell({"tell": "unreachable", "process": process.key})

    # What control says

    def _heard(self, message: Message) -> None:
        try:
            if message["push"] == "pool":
                self._pool_pushed(message)
            elif message["push"] == "forget":
                prefix, credential = message.get("prefix"), message.get("credential")
                self.deciding.forget(
                    prefix.encode() if prefix is not None else None,
                    credential.encode("latin-1") if credential is not None else None,
                )
                self._rights.doubt()
            elif message["push"] == "vanities":
                self._vanities = paths.vanities(message["paths"])
                self.told_vanities.set()
        except (KeyError, TypeError, ValueError, AttributeError) as why:
            log.error("control pushed something malformed: %r", why)

    def _pool_pushed(self, message: Message) -> None:
        rows = [{**row, "socket": str(self._run_dir / row["socket"])} for row in message["processes"]]
        pool = self.pool(message["pool"])
        for gone in pool.update(rows, int(message.get("comfort") or 0)):
            self.backends.forget(gone.socket)
        if pool.is_over:
            del self._pools[pool.name]
            self._more_at.pop(pool.name, None)

    # What control is told

    def _hello(self) -> Message:
        self._rights.doubt()  # what changed in the meantime was pushed to nobody
        loads = {key: load for pool in self._pools.values() for key, load in pool.all_loads().items()}
        return {"tell": "hello", "loads": loads}

    async def _tell_loads(self) -> None:
        while True:
            await asyncio.sleep(LOADS_SECONDS)
            changed = self._changed[:]
            self._changed.clear()
            for pool in changed:
                self.link.tell({"tell": "loads", "pool": pool.name, "loads": pool.loads()})

    def visited(self, decision: Decision, request: Request) -> None:
        """Remember a page view, or a call with a key; what a page loads besides is not a visit."""
        fields = request.fields
        counts = (request.method == b"GET" and fields.navigates) or fields.credential[0] == b"key"
        if counts and len(self._visits) < MOST_VISITS:
            path, agent = request.path.decode("latin-1"), fields.agent.decode("latin-1")
            self._visits.append([decision.item, decision.user, path, self._clock.now().timestamp(), agent])

    def joined(self, decision: Decision | None) -> Callable[[], None]:
        """Note that somebody holds a WebSocket to content from here on; return what to call once it has ended."""
        if decision is None or not decision.item:
            return _nothing
        session = self._attendance.begin(decision.item, decision.user, self._clock.now().timestamp())
        return lambda: self._attendance.end(session, self._clock.now().timestamp())

    def _tell_sessions(self) -> None:
        if not self.link.connected.is_set():
            return
        rows = self._attendance.news(self._clock.now().timestamp())
        for start in range(0, len(rows), 500):
            self.link.tell({"tell": "sessions", "rows": rows[start : start + 500]})

    def _tell_visits(self) -> None:
        if not self.link.connected.is_set():
            return  # told when control is back
        visits, self._visits = self._visits, []
        for start in range(0, len(visits), 100):
            self.link.tell({"tell": "visits", "rows": visits[start : start + 100]})


def _nothing() -> None:
    pass
