"""HTTP/1.1 by hand, for tests that care about bytes: a client that sends anything, a server that records everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Message:
    """A request or an answer: ``start`` is the first line; names are as sent; ``chunked`` tells how it came."""

    start: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    chunked: bool = False
    whole: bool = True  # the body ended as its framing says

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def target(self) -> str:
        return self.start.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        found = self.all(name)
        return found[0] if found else None

    def json(self) -> dict:
        return json.loads(self.body)


async def read_head(reader: asyncio.StreamReader) -> Message:
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw[:-4].decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Message(start, [(name, value.strip()) for name, _, value in pairs])


async def read_body(reader: asyncio.StreamReader, message: Message, *, until_close: bool = False) -> None:
    try:
        if (message.get("transfer-encoding") or "").lower() == "chunked":
            message.chunked = True
            while size := int((await reader.readline()).split(b";")[0], 16):
                message.body += await reader.readexactly(size)
                assert await reader.readexactly(2) == b"\r\n"
            assert await reader.readexactly(2) == b"\r\n"
        elif (length := message.get("content-length")) is not None:
            message.body = await reader.readexactly(int(length))
        elif until_close:
            message.body = await reader.read(-1)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        message.whole = False


class Client:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, *, limit: int = 2**20) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=limit))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head_only: bool = False, timeout: float = 10) -> Message:
        async with asyncio.timeout(timeout):
            message = await read_head(self.reader)
            if not head_only and message.status not in {204, 304} and message.status >= 200:
                await read_body(self.reader, message, until_close=True)
            return message

    async def ask(self, target: str = "/", *lines: str, method: str = "GET", body: bytes = b"") -> Message:
        head = [f"{method} {target} HTTP/1.1", "Host: server.test", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        return await self.answer(head_only=method == "HEAD")

    async def is_closed(self, timeout: float = 5) -> bool:
        """Whether the server ends the connection within ``timeout`` without saying anything more."""
        try:
            async with asyncio.timeout(timeout):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError, OSError):
            await self.writer.wait_closed()


Handler = Callable[[Message, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


@dataclass
class Server:
    """Listens on a unix socket. By default tells the client, as JSON, what it was asked.

    ``handler`` gets each head and may read the body and write anything; ``requests`` has every one that came whole.
    """

    path: Path
    name: str = "server"
    handler: Handler | None = None
    requests: list[Message] = field(default_factory=list)
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> Server:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=2**20)
        return self

    async def stop(self) -> None:
        """Stop listening and cut every connection, as a dying process does."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self.open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            while True:
                message = await read_head(reader)
                if self.handler is not None:
                    self.requests.append(message)
                    await self.handler(message, reader, writer)
                else:
                    await read_body(reader, message)
                    self.requests.append(message)
                    writer.write(answer(self.told(message), "Content-Type: application/json"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    def told(self, message: Message) -> bytes:
        return json.dumps(
            {
                "name": self.name,
                "start": message.start,
                "fields": message.fields,
                "body": message.body.decode("latin-1"),
            }
        ).encode()
