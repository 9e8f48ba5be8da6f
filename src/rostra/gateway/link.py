"""The line to control: ``decide.sock``, JSON objects one a line, kept connected for as long as the gateway lives."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from rostra.errors import Unavailable

LONGEST_LINE = 1024 * 1024  # bytes
CONTROL_PATIENCE = 2.0  # how long a restart of control may take without anyone noticing
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5)  # between attempts to connect; the last one repeats
_UNSENT_LIMIT = 4 * 1024 * 1024  # bytes of telling that may wait for a control that does not read

log = logging.getLogger("rostra.gateway")

Message = dict[str, Any]


class ControlAway(Unavailable):
    code = "control-away"

    def __init__(self) -> None:
        super().__init__("The part of the server that decides cannot be reached.", hint="Try again in a moment.")


class Link:
    """One connection, made again whenever it is lost.

    Args:
        path: of the socket.
        hello: makes the first message of each connection.
        heard: called with every message that answers no question.
    """

    def __init__(self, path: str, hello: Callable[[], Message], heard: Callable[[Message], None]) -> None:
        self._path = path
        self._hello = hello
        self._heard = heard
        self._writer: asyncio.StreamWriter | None = None
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._last_id = 0
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Connect, listen, connect again; until cancelled."""
        attempt = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
                continue
            attempt = 0
            try:
                await self._converse(reader, writer)
            finally:
                self._lost(writer)
            await asyncio.sleep(RETRY_SECONDS[0])

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.tell(self._hello())
        self.connected.set()
        log.info("control connected")
        try:
            while line := await reader.readline():
                self._take(line)
        except (OSError, ValueError) as why:
            log.warning("control said something unreadable: %s", why)

    def _take(self, line: bytes) -> None:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("not an object")
        asked = self._asked.pop(message["id"], None) if isinstance(message.get("id"), int) else None
        if asked is None:
            if "push" in message:
                self._heard(message)
        elif not asked.done():
            asked.set_result(message)

    def _lost(self, writer: asyncio.StreamWriter) -> None:
        self.connected.clear()
        self._writer = None
        writer.close()
        asked, self._asked = self._asked, {}
        for one in asked.values():
            if not one.done():
                one.set_exception(ControlAway())
                one.exception()  # whoever asked may have stopped waiting
        log.warning("control lost")

    async def back(self) -> None:
        """Wait a little for a control that is being restarted.

        Raises:
            ControlAway: it stays away.
        """
        try:
            async with asyncio.timeout(CONTROL_PATIENCE):
                await self.connected.wait()
        except TimeoutError:
            raise ControlAway from None

    def tell(self, message: Message) -> bool:
        """Send ``message`` if control is there and reads; returns whether it was sent."""
        writer = self._writer
        if writer is None or writer.transport.get_write_buffer_size() > _UNSENT_LIMIT:
            return False
        writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        return True

    async def ask(self, message: Message) -> Message:
        """Return control's answer.

        Raises:
            ControlAway: it is not there, or left before it answered.
        """
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        if not self.tell({"id": number, **message}):
            del self._asked[number]
            raise ControlAway
        try:
            return await answer
        finally:
            self._asked.pop(number, None)
