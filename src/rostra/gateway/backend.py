"""Connections to content processes and to control: kept open per socket, used by one exchange at a time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rostra.execution import sockets
from rostra.gateway.answer_head import LONGEST_HEAD, UNTIL_CLOSE, Answer, BadAnswer, read_answer
from rostra.gateway.framing import BadFraming, Body, Chunked, Length, UntilClose
from rostra.gateway.head import CHUNKED

if TYPE_CHECKING:
    from rostra.gateway.exchange import Exchange

# Common servers keep idle connections for 2 s (gunicorn) or 5 s (uvicorn); a request must not meet one that is closing.
IDLE_SECONDS = 4.0
IDLE_SECONDS_UNREPEATABLE = 1.0  # for requests that could not be sent again if it does
MOST_IDLE = 256  # for each socket
CONNECT_SECONDS = 5.0
WRITE_HIGH, WRITE_LOW = 262_144, 65_536


class BackendConnection(asyncio.Protocol):
    """One connection. ``exchange`` is whose answer is awaited; None while idle."""

    __slots__ = (
        "_known",
        "_spare",
        "answer",
        "body",
        "exchange",
        "held",
        "idle_since",
        "path",
        "paused",
        "pool",
        "reused",
        "transport",
    )
    transport: asyncio.Transport

    def __init__(self, pool: Backends, path: str) -> None:
        self.pool = pool
        self.path = path
        self.exchange: Exchange | None = None
        self.body: Body | None = None  # while the body of an answer is coming
        self.answer: Answer | None = None
        self.reused = False
        self.idle_since = 0.0
        self.paused = False
        self.held = b""  # an incomplete head
        self._spare: int | None = None
        self._known: tuple[bytes, Answer] | None = None  # equal heads are not read twice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's own class, of no common base
        transport.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_LOW)

    def data_received(self, data: bytes) -> None:
        exchange, body = self.exchange, self.body
        if exchange is None:
            self.transport.abort()  # nobody asked
        elif body is None:
            self._read_head(exchange, data)
        else:
            try:
                payload, rest = body.feed(data)
            except BadFraming:
                exchange.backend_lost()
                return
            self._pass_on(exchange, payload, rest)

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        data = self.held + data
        self.held = b""
        while data:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3 or end > LONGEST_HEAD:
                self._keep_incomplete(exchange, data)
                return
            head, data = data[:end], data[end:]
            answer = self._answer(exchange, head)
            if answer is None:
                return
            if answer.status >= 200:
                self._begin_body(exchange, answer, data)
                return
            if answer.status == 101:
                exchange.upgraded(answer, data)
                return
            exchange.interim(answer)

    def _keep_incomplete(self, exchange: Exchange, data: bytes) -> None:
        if len(data) > LONGEST_HEAD:
            exchange.bad_answer("its head is too long")
        else:
            self.held = data

    def _answer(self, exchange: Exchange, head: bytes) -> Answer | None:
        known = self._known
        if known is not None and known[0] == head:
            return known[1]
        try:
            answer = read_answer(head)
        except BadAnswer as why:
            exchange.bad_answer(why.message)
            return None
        self._known = (head, answer)
        return answer

    def _begin_body(self, exchange: Exchange, answer: Answer, data: bytes) -> None:
        self.answer = answer
        length = answer.length
        if exchange.is_head or answer.has_no_body:
            self._pass_on(exchange, b"", data)
        elif length == len(data):
            self._pass_on(exchange, data, b"")
        else:
            self.body = body = (
                Chunked() if length == CHUNKED else UntilClose() if length == UNTIL_CLOSE else Length(length)
            )
            try:
                payload, rest = body.feed(data)
            except BadFraming:
                exchange.bad_answer("its body is malformed")
                return
            self._pass_on(exchange, payload, rest)

    def _pass_on(self, exchange: Exchange, payload: bytes, rest: bytes | None) -> None:
        answer = self.answer
        if answer is not None and not exchange.answer_begun:
            exchange.answered(answer, payload)
        elif payload:
            exchange.answer_payload(payload)
        if rest is not None:
            # Surplus bytes answer nothing anybody asked: such a connection is not used again.
            exchange.answer_done(reusable=not rest and answer is not None and answer.keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._spare is not None:
            exc = self._read_what_is_left(self._spare)
        self._close_spare()
        exchange = self.exchange
        if exchange is None:
            self.pool.dropped(self)
        elif isinstance(self.body, UntilClose) and exc is None:
            self.body = None
            exchange.answer_done(reusable=False)
        else:
            exchange.backend_lost()

    def keep_spare(self) -> None:
        """Hold a second descriptor of the socket while a body is being sent.

        A process that refuses an upload answers and closes; the write that then fails makes the event loop drop the
        connection with that answer unread. The spare descriptor still has it.
        """
        sock = self.transport.get_extra_info("socket")
        if sock is not None and self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = os.dup(sock.fileno())

    def _read_what_is_left(self, spare: int) -> Exception | None:
        try:
            while self.exchange is not None:
                data = os.read(spare, WRITE_HIGH)
                if not data:
                    return None
                self.data_received(data)
        except OSError as why:
            return why
        return None

    def _close_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.backend_full()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.backend_writable()

    def pause(self) -> None:
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def let_go(self) -> None:
        """Close: the exchange wants no more of it."""
        self.exchange = None
        self.body = self.answer = None
        self._close_spare()
        self.transport.abort()


class Backends:
    """Every connection to every socket, idle ones by path."""

    def __init__(self) -> None:
        self._idle: dict[str, list[BackendConnection]] = {}

    def take(self, path: str, *, repeatable: bool = True) -> BackendConnection | None:
        """Return the idle connection used last, if one is young enough."""
        idle = self._idle.get(path)
        if not idle:
            return None
        connection = idle[-1]
        age = time.monotonic() - connection.idle_since
        if age > (IDLE_SECONDS if repeatable else IDLE_SECONDS_UNREPEATABLE):
            return None
        idle.pop()
        return connection

    async def connect(self, path: str) -> BackendConnection:
        """Return a new connection.

        Raises:
            OSError: nobody listens there, or its queue stays full.
        """
        loop = asyncio.get_running_loop()
        until = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                # Content owns the folder of its socket: a link it puts there must not lead to a socket of the server's.
                with sockets.address(Path(path)) as exactly:
                    _, connection = await loop.create_unix_connection(lambda: BackendConnection(self, path), exactly)
            except OSError as why:
                # A unix socket with a full queue refuses at once; it is busy, not gone.
                if why.errno != errno.EAGAIN or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.02)
            else:
                return connection

    def give_back(self, connection: BackendConnection) -> None:
        connection.exchange = None
        connection.body = connection.answer = None
        connection._close_spare()
        connection.resume()
        idle = self._idle.setdefault(connection.path, [])
        if len(idle) >= MOST_IDLE or connection.transport.is_closing():
            connection.transport.abort()
            return
        connection.reused = True
        connection.idle_since = time.monotonic()
        idle.append(connection)

    def dropped(self, connection: BackendConnection) -> None:
        with contextlib.suppress(ValueError):
            self._idle.get(connection.path, []).remove(connection)

    def forget(self, path: str) -> None:
        """Close what is idle there: its process is on its way out."""
        for connection in self._idle.pop(path, []):
            connection.transport.abort()

    def sweep(self) -> None:
        """Close what has been idle for longer than it would be used."""
        oldest = time.monotonic() - IDLE_SECONDS
        for path, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.idle_since > oldest]
            for connection in idle:
                if connection.idle_since <= oldest:
                    connection.transport.abort()
            if kept:
                self._idle[path] = kept
            else:
                del self._idle[path]

    def close(self) -> None:
        for path in list(self._idle):
            self.forget(path)
