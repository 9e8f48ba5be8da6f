"""A control that decides as a test says, over the real ``decide.sock`` and ``control.sock``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from support.raw_http import Server


class FakeControl:
    """Answers ``decide`` from ``decisions`` (by prefix of the path; a function gets the credential), everything else to
    control; answers ``process`` by ``on_process``. What the gateway said is in ``asked`` and ``told``.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.http = Server(run_dir / "control.sock", "control")
        self.decisions: dict[str, dict[str, Any] | Callable[[dict[str, str]], dict[str, Any]]] = {}
        self.on_process: Callable[[str], Awaitable[bool]] = self._never_ready
        self.asked: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.deaf = False  # connected, but answers nothing
        self.greeting: asyncio.Event | None = None  # holds back what a gateway is told when it connects
        self.gate: asyncio.Event | None = None  # holds back answers that have been decided
        self._pools: dict[str, dict[str, Any]] = {}
        self._vanities: list[str] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._something = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FakeControl:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        await self.http.start()
        path = self.run_dir / "decide.sock"
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._talk, path, limit=2**20)

    async def stop(self) -> None:
        """Die: both sockets and every connection."""
        await self.http.stop()
        for job in tuple(self._jobs):
            job.cancel()
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.greeting is not None:
            await self.greeting.wait()
        self._say(writer, {"push": "vanities", "paths": self._vanities})
        for pool in self._pools.values():
            self._say(writer, pool)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                (self.asked if "ask" in message else self.told).append(message)
                if "ask" in message and not self.deaf:
                    job = asyncio.ensure_future(self._answer(message, writer))
                    self._jobs.add(job)
                    job.add_done_callback(self._jobs.discard)
                self._something.set()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if message["ask"] == "process":
            answer: dict[str, Any] = {"ready": await self.on_process(message["pool"])}
        else:
            answer = self._decide(message["path"], message["credential"])
        if self.gate is not None:
            await self.gate.wait()
        self._say(writer, {"id": message["id"], **answer})

    def _decide(self, path: str, credential: dict[str, str]) -> dict[str, Any]:
        for prefix, decision in sorted(self.decisions.items(), key=lambda pair: -len(pair[0])):
            if path.startswith(prefix):
                return decision(credential) if callable(decision) else decision
        return {"to": "control", "ttl": 60}

    def _say(self, writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    async def _never_ready(self, _pool: str) -> bool:
        return False

    async def push(self, message: dict[str, Any]) -> None:
        for writer in self._writers:
            self._say(writer, message)
            await writer.drain()

    async def push_pool(self, name: str, *servers: Server, room: int = 20, comfort: int = 0) -> None:
        rows = [{"key": server.name, "socket": str(server.path), "room": room} for server in servers]
        self._pools[name] = {"push": "pool", "pool": name, "processes": rows, "comfort": comfort}
        await self.push(self._pools[name])

    async def push_vanities(self, *paths: str) -> None:
        self._vanities = list(paths)
        await self.push({"push": "vanities", "paths": self._vanities})

    def decide(self, prefix: str, pool: str, **more: Any) -> None:
        """Decide that ``prefix`` is carried to ``pool``."""
        self.decisions[prefix] = {
            "to": "pool",
            "prefix": prefix,
            "base": prefix,
            "pool": pool,
            "item": pool,
            "user": None,
            "headers": [],
            "sticky": False,
            "ttl": 60,
            **more,
        }

    async def connected(self) -> None:
        """Wait until a gateway has said hello."""
        await self.wait_for(lambda: any(one["tell"] == "hello" for one in self.told) and bool(self._writers))

    async def wait_for(self, true: Callable[[], bool], timeout: float = 10) -> None:
        """Wait until ``true()``, looking whenever the gateway said something."""
        async with asyncio.timeout(timeout):
            while not true():
                self._something.clear()
                await self._something.wait()
