"""The launcher that asks the keeper. Survives the keeper's restarts and says which processes they cost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rostra.execution import wire
from rostra.execution.feed import Feed, Subscription
from rostra.execution.launcher import Exit, Launch, LaunchFailed, Running
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey

AWAY_SECONDS = 3.0  # how long an operation waits for the keeper to come back
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
VANISHED = -9  # the exit code of a process that ended together with its keeper


class KeeperAway(LaunchFailed):
    """The keeper cannot be reached."""

    code = "keeper-away"

    def __init__(self) -> None:
        super().__init__("the process that starts content cannot be reached", hint="Try again in a moment.")


class KeeperLauncher:
    """A `Launcher` over keeper.sock. Use as ``async with``; leaving the block ends nothing that runs."""

    def __init__(self, path: Path, *, away_seconds: float = AWAY_SECONDS) -> None:
        self._path = path
        self._away_seconds = away_seconds
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._known: set[ProcessKey] = set()
        self._doubtful: set[ProcessKey] = set()  # starts whose answer was lost: the caller was told that they failed
        self._feed = Feed()
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._connection: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._connection = asyncio.create_task(self._stay_connected())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection:
            self._connection.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connection

    async def probe(self) -> tuple[str, ...]:
        answer = await self._ask_until_answered({"op": "probe"})
        return tuple(answer["unprotected"])

    async def start(self, what: Launch) -> Running:
        message = {"op": "start", "launch": wire.from_launch(what)}
        await self._wait_connected()
        self._known.add(what.key)  # not before: what a new connection does not find running has vanished
        try:
            return wire.to_running(await self._exchange(message))
        except asyncio.CancelledError:
            self._abandon(what.key)
            raise
        except LaunchFailed as why:
            self._known.discard(what.key)
            if isinstance(why, KeeperAway):
                self._doubtful.add(what.key)
            raise

    async def stop(self, key: ProcessKey, *, grace_seconds: float = 5.0) -> None:
        await self._ask_until_answered({"op": "stop", "key": key, "grace": grace_seconds})

    async def running(self) -> tuple[Running, ...]:
        found = await self._list(self._ask_until_answered)
        self._known |= {one.key for one in found}
        return found

    async def weigh(self) -> Mapping[ProcessKey, Weight]:
        return wire.to_weights(await self._ask({"op": "weigh"}))

    def exits(self) -> Subscription:
        return self._feed.subscribe()

    async def _list(self, ask: Any) -> tuple[Running, ...]:
        answer = await ask({"op": "list"})
        return tuple(wire.to_running(one) for one in answer["processes"])

    async def _ask_until_answered(self, message: dict[str, Any]) -> dict[str, Any]:
        # For what may be asked twice: a keeper that went away while answering is asked again when it is back.
        while True:
            try:
                return await self._ask(message)
            except KeeperAway:
                if not self._connected.is_set():
                    await self._wait_connected()

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._wait_connected()
        return await self._exchange(message)

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        if self._writer is None:
            raise KeeperAway
        number = next(self._numbers)
        text = wire.line({"id": number, **message})
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(text)
            found = await answer
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise LaunchFailed(str(found["error"]), hint=str(found.get("hint", "")))
        return dict(found["ok"])

    def _abandon(self, key: ProcessKey) -> None:
        # Nobody waits for it any more; the keeper answers the start first, then ends it.
        if self._writer is not None:
            self._writer.write(wire.line({"id": 0, "op": "stop", "key": key, "grace": 0}))

    async def _wait_connected(self) -> None:
        try:
            async with asyncio.timeout(self._away_seconds):
                await self._connected.wait()
        except TimeoutError:
            raise KeeperAway from None

    async def _stay_connected(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=wire.LONGEST_LINE)
                pause = FIRST_PAUSE
                await self._use(reader, writer)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._reconcile())
                await self._read(reader)
                raise ConnectionResetError
        except* (OSError, ValueError, LaunchFailed):
            pass  # the connection is made again
        finally:
            self._lost()
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while text := await reader.readline():
            message = wire.parse(text)
            if "exit" in message:
                self._ended(wire.to_exit(message))
            elif (waiting := self._waiting.get(message.get("id", 0))) and not waiting.done():
                waiting.set_result(message)

    async def _reconcile(self) -> None:
        """Report what vanished while there was no connection, then let others use it."""
        before = set(self._known)
        alive = {one.key for one in await self._list(self._exchange)}
        for key in before - alive:
            if key in self._known:  # its end may have been told meanwhile
                self._ended(Exit(key, VANISHED, lost=True))
        for key in self._doubtful & alive:
            await self._exchange({"op": "stop", "key": key, "grace": 0})
        self._doubtful.clear()
        self._connected.set()

    def _ended(self, end: Exit) -> None:
        self._known.discard(end.key)
        self._feed.publish(end)

    def _lost(self) -> None:
        self._writer = None
        self._connected.clear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(KeeperAway())
