"""A launcher without processes, for tests of other rooms. It ships, and passes the contract of the real ones.

What a launch does is read from its command: ``exit N`` ends at once with N, ``missing`` cannot be started, ``silent``
runs and never listens, ``stubborn`` ignores the wish to end; anything else listens on its socket until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rostra.clock import Clock, SystemClock
from rostra.execution.feed import Feed, Subscription
from rostra.execution.launcher import Exit, Launch, LaunchFailed, Running
from rostra.execution.logs import LogFile
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


class _Server:
    """Answers each connection once, with the same body, without any task of its own."""

    def __init__(self, path: Path, body: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer = ANSWER % (len(body), body)
        self._open: set[socket.socket] = set()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listening.bind(str(path))
        self._listening.listen(128)
        self._watch(self._listening, self._accept)

    def close(self) -> None:
        for one in tuple(self._open):
            self._forget(one)

    def _watch(self, one: socket.socket, ready: Callable[[socket.socket], None]) -> None:
        self._open.add(one)
        self._loop.add_reader(one, ready, one)

    def _forget(self, one: socket.socket) -> None:
        self._open.discard(one)
        if not self._loop.is_closed():
            self._loop.remove_reader(one)
        one.close()

    def _accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.setblocking(False)
        self._watch(connection, self._reply)

    def _reply(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if connection.recv(65536):
                connection.send(self._answer)
        self._forget(connection)


class FakeLauncher:
    """Records what it was asked: ``launches`` in order, ``stopped`` keys in order. Sockets are real, processes are not.

    ``refuse`` set to a sentence makes every start fail with it. ``unprotected`` is what ``probe`` says.
    """

    def __init__(self, *, unprotected: Sequence[str] = (), clock: Clock | None = None) -> None:
        self.launches: list[Launch] = []
        self.stopped: list[ProcessKey] = []
        self.refuse = ""
        self.weights: dict[ProcessKey, Weight] = {}  # of processes that take another than the usual
        self.unprotected = tuple(unprotected)
        self._clock = clock or SystemClock()
        self._running: dict[ProcessKey, tuple[Launch, Running]] = {}
        self._servers: dict[ProcessKey, _Server] = {}
        self._feed = Feed()

    async def probe(self) -> tuple[str, ...]:
        return self.unprotected

    async def start(self, what: Launch) -> Running:
        if self.refuse or Path(what.argv[0]).name == "missing":
            raise LaunchFailed(self.refuse or f"cannot start {what.argv[0]}: there is no such program")
        if what.key in self._running:
            raise LaunchFailed(f"process {what.key} runs already")
        self.launches.append(what)
        what.run_dir.mkdir(mode=0o700, parents=True)
        running = Running(what.key, 1000 + len(self.launches), what.socket, dict(what.labels))
        self._running[what.key] = (what, running)
        if what.argv[0] == "exit":
            asyncio.get_running_loop().call_soon(self.crash, what.key, int(what.argv[1]))
        elif what.argv[0] != "silent":
            self.listen(what.key)
        return running

    async def stop(self, key: ProcessKey, *, grace_seconds: float = 5.0) -> None:
        if key in self._running:
            self.stopped.append(key)
            stubborn = self._running[key][0].argv[0] == "stubborn"
            self.crash(key, -9 if stubborn or grace_seconds <= 0 else -15)

    async def running(self) -> tuple[Running, ...]:
        return tuple(running for _, running in self._running.values())

    async def weigh(self) -> Mapping[ProcessKey, Weight]:
        return {key: self.weights.get(key, Weight(0.0, 1_000_000, 1)) for key in self._running}

    def exits(self) -> Subscription:
        return self._feed.subscribe()

    def listen(self, key: ProcessKey) -> None:
        """Make a process ready: its socket accepts connections from here on."""
        self._servers[key] = _Server(self._running[key][1].socket, key.encode())

    def deafen(self, key: ProcessKey) -> None:
        """Make its socket refuse connections while the process runs on."""
        self._servers.pop(key).close()
        self._running[key][1].socket.unlink(missing_ok=True)

    def crash(self, key: ProcessKey, code: int = 1, says: str = "", *, lost: bool = False) -> None:
        """End a process as if by itself, after it wrote ``says`` to its log; or as if what held it had ended."""
        launch, _ = self._running.pop(key)
        if server := self._servers.pop(key, None):
            server.close()
        log = LogFile(launch.log, launch.log_bytes, self._clock)
        log.feed("err", says.encode())
        log.close()
        shutil.rmtree(launch.run_dir, ignore_errors=True)
        self._feed.publish(Exit(key, code, lost))

    def close(self) -> None:
        for key in tuple(self._running):
            self.crash(key, -9)
