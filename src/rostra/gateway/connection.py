"""One client connection: reads heads one after another, and hands each request with its body to an exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, cast

from rostra.gateway import answers, paths
from rostra.gateway.exchange import Exchange
from rostra.gateway.framing import BadFraming, Body, Chunked, Length
from rostra.gateway.head import CHUNKED, BadHead, Fields, Request, read_request
from rostra.gateway.outgoing import KnownLines
from rostra.gateway.splice import Pair

if TYPE_CHECKING:
    from rostra.gateway.backend import BackendConnection
    from rostra.gateway.forwarding import Whence
    from rostra.gateway.plane import Plane
    from rostra.gateway.pools import Process
    from rostra.gateway.rights import Right

WRITE_HIGH, WRITE_LOW = 262_144, 65_536
MOST_PENDING = 65_536  # bytes of later requests kept while one is carried
MOST_DRAINED = 1024**3  # bytes of a body read and thrown away so that the client gets to read why it was refused
DRAIN_SECONDS = 10.0  # of silence while doing so
LINGER_SECONDS = 3.0  # between our last byte and the client's
FLUSH_SECONDS = 60.0  # for a slow client to take the last bytes of an answer after which the connection ends


class State(IntEnum):
    IDLE = 0  # between requests
    HEAD = 1  # a part of a head has come
    BUSY = 2  # an exchange has the connection
    DRAIN = 3  # answered; the rest of the request's body is thrown away
    LINGER = 4  # our side is closed; the client may still be sending
    CLOSED = 5


class ClientConnection(asyncio.Protocol):
    __slots__ = (
        "_advancing",
        "_body",
        "_drained",
        "_held",
        "_keep",
        "_known",
        "_peer",
        "_pending",
        "_plane",
        "_served",
        "_since",
        "_state",
        "_trusted",
        "exchange",
        "full",
        "known_lines",
        "transport",
    )
    transport: asyncio.Transport

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._state = State.IDLE
        self._since = time.monotonic()  # when the state began, or was last seen to get on
        self._pending = b""  # read, but not yet looked at
        self._body: Body | None = None
        self._known: tuple[bytes, Fields] | None = None
        self._advancing = self._held = self._keep = self._trusted = self._served = False
        self._drained = 0
        self._peer = b""
        self.exchange: Exchange | None = None
        self.full = False  # the client does not read what is written
        self.known_lines: KnownLines | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's own class, of no common base
        transport.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_LOW)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]).partition("%")[0].removeprefix("::ffff:") if isinstance(peer, tuple) else ""
        self._peer = address.encode("ascii", "replace") or b"unknown"
        self._trusted = self._plane.forwarding.trusts(address)
        self._plane.clients.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._state = State.CLOSED
        self._plane.clients.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_lost()

    def whence(self, request: Request) -> Whence:
        return self._plane.forwarding.whence(self._peer, request, trusted=self._trusted)

    # What the client sends

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state is _BUSY:
            self._since = time.monotonic()
            if self._body is not None:
                self._body_received(self._body, data)
            else:
                self._pending += data
                if len(self._pending) > MOST_PENDING:
                    self.hold()
        elif state is _IDLE or state is _HEAD:
            self._pending = self._pending + data if self._pending else data
            self._advance()
        elif state is _DRAIN:
            self._since = time.monotonic()
            self._throw_away(data)

    def _advance(self) -> None:
        """Take requests from what has been read, one after another, until one needs time or more has to come."""
        if self._advancing:
            return  # an exchange that ended at once; the loop below goes on
        self._advancing = True
        try:
            while self._pending and self._state <= _HEAD:
                if not self._take_request():
                    break
        finally:
            self._advancing = False

    def _take_request(self) -> bool:
        data = self._pending
        end = data.find(b"\r\n\r\n") + 4
        if data[:1] == b"\r":
            return self._skip_empty_line()
        if end == 3 or end > self._plane.settings.max_header_size:
            return self._await_more(len(data))
        try:
            request, self._known = read_request(data[:end], self._known)
        except BadHead as why:
            self._refuse(why.status, why.message)
            return False
        rest = data[end:]
        self._pending = b""
        self._begin(request, rest)
        return True

    def _skip_empty_line(self) -> bool:
        """An empty line before a request is left from a careless client's last one (RFC 9112 §2.2)."""
        if self._pending[:2] == b"\r\n":
            self._pending = self._pending[2:]
            return True
        if len(self._pending) > 1:
            self._refuse(400, "the request line is malformed")
        return False

    def _await_more(self, size: int) -> bool:
        if size > self._plane.settings.max_header_size:
            self._refuse(431, "the request head is too long")
        elif not b"A" <= self._pending[:1] <= b"Z":
            self._refuse(400, "this is not HTTP")
        elif self._state is _IDLE:
            self._state = State.HEAD
            self._since = time.monotonic()
        return False

    def _begin(self, request: Request, rest: bytes) -> None:
        plane = self._plane
        length = request.fields.length
        payload, done = b"", True
        if length:
            self._body = body = Chunked() if length == CHUNKED else Length(length)
            try:
                payload, left = body.feed(rest)
            except BadFraming as why:
                self._refuse(400, why.message)
                return
            done = left is not None
            rest = left or b""
        if done:
            self._body = None
        self._pending = rest
        self._state = State.BUSY
        self._since = time.monotonic()
        self._served = True
        stripped = self._strip(request)
        self.exchange = exchange = Exchange(plane, self, request, stripped)
        exchange.begin(payload, done=done)

    def _strip(self, request: Request) -> bytes:
        prefix = self._plane.forwarding.prefix
        if not prefix:
            return b""
        request.target, was_there = paths.strip_prefix(request.target, prefix)
        if was_there:
            request.path = request.target.partition(b"?")[0]
        return prefix if was_there else b""

    def _body_received(self, body: Body, data: bytes) -> None:
        try:
            payload, rest = body.feed(data)
        except BadFraming as why:
            self._body = None
            self._bad_body(why.message)
            return
        if rest is not None:
            self._body = None
            self._pending = rest
        if self.exchange is not None:
            self.exchange.request_payload(payload, done=rest is not None)

    def _bad_body(self, what: str) -> None:
        """The rest of the stream cannot be understood: whatever happens, the connection ends."""
        exchange, self.exchange = self.exchange, None
        begun = exchange is not None and exchange.answer_begun
        if exchange is not None:
            exchange.client_lost()
        if begun:
            self.cut()
        else:
            self._refuse(400, what)

    def _throw_away(self, data: bytes) -> None:
        self._drained += len(data)
        body = self._body
        assert body is not None
        try:
            _, rest = body.feed(data)
        except BadFraming:
            rest = None
            self._drained = MOST_DRAINED + 1
        if self._drained > MOST_DRAINED:
            self._linger()
        elif rest is not None:
            self._body = None
            self._pending = rest
            self._rest()

    # What an exchange asks for

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._since = time.monotonic()
            self.transport.write(data)

    def hold(self) -> None:
        """Read no more until ``release``."""
        if not self._held and not self.transport.is_closing():
            self._held = True
            self.transport.pause_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def exchange_ended(self, exchange: Exchange) -> None:
        """The answer has been written."""
        if self.exchange is not exchange:
            return
        self.exchange = None
        self._keep = exchange.keep
        self.release()
        if exchange.request_done:
            self._rest()
        else:
            self._state = State.DRAIN
            self._drained = 0
            self._since = time.monotonic()

    def _rest(self) -> None:
        """Wait for the next request, or end."""
        if not self._keep or self._plane.draining:
            self._close()
            return
        self._state = State.IDLE
        self._since = time.monotonic()
        if self._pending:
            self._advance()

    def cut(self) -> None:
        """End in the middle of an answer, so that nobody takes what came for the whole."""
        self._state = State.CLOSED
        self.exchange = None
        self.transport.abort()

    def become_pair(
        self,
        backend: BackendConnection,
        process: Process | None,
        right: Right | None,
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """Let both ends speak their own protocol; ``left`` is called once one of them has ended."""
        self._state = State.CLOSED
        self.exchange = None
        self._plane.clients.discard(self)
        pending, self._pending = self._pending, b""
        pair = Pair(self.transport, backend.transport, process, self._plane.pairs.discard, right=right, left=left)
        self._plane.pairs.add(pair)
        self.release()
        if pending:
            backend.transport.write(pending)
        if self.full:
            pair.client.pause_writing()

    # Ends

    def _refuse(self, status: int, sentence: str) -> None:
        self._pending = b""
        self._body = None
        self.write(answers.plain(status, sentence[:1].upper() + sentence[1:] + "."))
        self._linger()

    def _close(self) -> None:
        if self._pending:
            self._linger()
        else:
            self._state = State.CLOSED
            self.transport.close()

    def _linger(self) -> None:
        """Close our side only: closing both while the client sends destroys the answer on its way (RFC 9112 §9.6)."""
        self._state = State.LINGER
        self._since = time.monotonic()
        self._pending = b""
        self.release()
        if not self.transport.is_closing():
            self.transport.write_eof()

    def abort(self) -> None:
        """End at once, with whatever is under way."""
        self.transport.abort()

    def end_if_idle(self) -> None:
        if self._state <= _HEAD:
            self._close()

    def check(self, now: float) -> None:
        """End the connection when it has been in its state for too long; called every second or so."""
        limit = self._limit()
        if self._state >= State.LINGER and self.transport.get_write_buffer_size():
            limit = FLUSH_SECONDS
        if not limit or now - self._since <= limit:
            return
        if self._state is _HEAD:
            self._refuse(408, "the request head did not come in time")
        elif self._state is _BUSY and self.exchange is not None:
            self.exchange.fail(504 if self.exchange.request_done else 408, "Nothing happened for too long.")
        elif self._state is _IDLE:
            self._close()
        else:
            self.transport.abort()

    def _limit(self) -> float:
        settings = self._plane.settings
        if self._state is _BUSY:
            waits_for_client = self._body is not None and not self._held
            silent = settings.read_timeout if waits_for_client else 0.0
            return min(silent or settings.connection_timeout, settings.connection_timeout or silent)
        if self._state is _IDLE:
            return settings.keep_alive_timeout if self._served else settings.header_timeout
        return {
            State.HEAD: settings.header_timeout,
            State.DRAIN: DRAIN_SECONDS,
            State.LINGER: LINGER_SECONDS,
            State.CLOSED: LINGER_SECONDS,
        }[self._state]

    def pause_writing(self) -> None:
        self.full = True
        if self.exchange is not None:
            self.exchange.client_full()

    def resume_writing(self) -> None:
        self.full = False
        self._since = time.monotonic()
        if self.exchange is not None:
            self.exchange.client_writable()


_IDLE, _HEAD, _BUSY, _DRAIN = State.IDLE, State.HEAD, State.BUSY, State.DRAIN
