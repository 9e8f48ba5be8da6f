"""Control's end of ``decide.sock``: answers gateways and pushes what changed to all of them.

The messages are described in docs/explanation/architecture.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

LONGEST_LINE = 1_048_576
MOST_UNREAD = 4 * LONGEST_LINE
Message = dict[str, Any]


class Visits(Protocol):
    """What decides. Every method may be called from several tasks at once."""

    async def decide(self, path: str, credential: Mapping[str, str]) -> Message:
        """Return the answer's fields, without the id."""

    async def process(self, pool: str) -> bool:
        """Start a process for the pool, wait until it is ready; False when it could not be."""

    async def told(self, message: Message) -> None:
        """Take a ``tell`` message."""

    def greeting(self) -> list[Message]:
        """Return the pushes that bring a gateway up to date after it connected."""


class DecideSocket:
    """Serves any number of gateways; one at a time is usual, two while one is replaced."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._gateways: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    def push(self, message: Message) -> None:
        """Send to every connected gateway. Never waits: a gateway that does not read is disconnected and asks anew."""
        line = _line(message)
        for writer in list(self._gateways):
            if writer.transport.get_write_buffer_size() > MOST_UNREAD:
                writer.transport.abort()
            else:
                writer.write(line)

    @contextlib.asynccontextmanager
    async def serve(self, path: Path) -> AsyncIterator[None]:
        """Listen at ``path`` (0600) for the length of the block; questions that are open at its end stay unanswered."""
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._connected, path, limit=LONGEST_LINE)
        finally:
            os.umask(before)
        try:
            yield
        finally:
            server.close()
            conversations = list(self._gateways.values())
            for conversation in conversations:
                conversation.cancel()
            await asyncio.gather(*conversations, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._gateways[writer] = conversation
        try:
            await asyncio.wait((conversation,))
        finally:
            conversation.cancel()
            del self._gateways[writer]
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.TaskGroup() as answers:
                for message in self._visits.greeting():
                    writer.write(_line(message))
                async for line in reader:
                    self._take(json.loads(line), writer, answers)
                raise ConnectionResetError("the gateway closed it")  # nobody reads the answers that are still to come
        except* (ConnectionError, ValueError, asyncio.LimitOverrunError) as lost:
            log.debug("gateway connection lost", why=str(lost.exceptions[0]))

    def _take(self, message: Message, writer: asyncio.StreamWriter, answers: asyncio.TaskGroup) -> None:
        if "tell" in message:
            answers.create_task(self._safely(self._visits.told, message))
        elif message.get("ask") == "decide":
            answers.create_task(self._answer(message, writer, self._decide))
        elif message.get("ask") == "process":
            answers.create_task(self._answer(message, writer, self._process))

    async def _decide(self, message: Message) -> Message:
        return await self._visits.decide(message["path"], message["credential"])

    async def _process(self, message: Message) -> Message:
        return {"ready": await self._visits.process(message["pool"])}

    async def _answer(
        self, message: Message, writer: asyncio.StreamWriter, how: Callable[[Message], Awaitable[Message]]
    ) -> None:
        try:
            answer = await how(message)
        except Exception:
            # Control then makes the page for the same request and meets the same fault where it can be shown.
            log.exception("deciding failed", message=message.get("path") or message.get("pool"))
            answer = {"to": "control", "ttl": 0, "ready": False}
        if not writer.is_closing():
            writer.write(_line({"id": message.get("id"), **answer}))

    async def _safely(self, take: Callable[[Message], Awaitable[None]], message: Message) -> None:
        try:
            await take(message)
        except Exception:
            log.exception("a message from the gateway was not understood", tell=message.get("tell"))


def _line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
