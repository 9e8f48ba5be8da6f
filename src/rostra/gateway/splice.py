"""Two connections that became one: after 101 every byte is passed on as it is, both ways, with back-pressure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rostra.gateway.pools import Process
from rostra.gateway.rights import Right

CLOSE_SECONDS = 10.0  # for the last bytes to leave once one side has ended


class Side(asyncio.Protocol):
    """One of the two ends; it writes to the other."""

    __slots__ = ("other", "pair", "seen", "transport", "write")

    def __init__(self, pair: Pair, transport: asyncio.Transport) -> None:
        self.pair = pair
        self.transport = transport
        self.seen = False  # whether anything came since the last look

    def connect(self, other: Side) -> None:
        self.other = other
        self.write: Callable[[bytes], None] = other.transport.write

    def data_received(self, data: bytes) -> None:
        self.seen = True
        self.write(data)

    def pause_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.pair.lost()


class Pair:
    """Client and process of one WebSocket. Counts as one connection of the process until either side ends."""

    __slots__ = (
        *("_ended", "_heard", "_heard_client", "_left", "_process"),
        *("backend", "client", "closing_since", "right"),
    )

    def __init__(
        self,
        client: asyncio.Transport,
        backend: asyncio.Transport,
        process: Process | None,
        ended: Callable[[Pair], None],
        *,
        right: Right | None = None,
        left: Callable[[], None] = lambda: None,
    ) -> None:
        self.right = right
        self.client, self.backend = Side(self, client), Side(self, backend)
        self.client.connect(self.backend)
        self.backend.connect(self.client)
        self._process = process
        self._ended = ended
        self._left = left
        self._heard = self._heard_client = time.monotonic()
        self.closing_since = 0.0
        for side in (self.client, self.backend):
            side.transport.set_protocol(side)

    def lost(self) -> None:
        if self._process is not None:
            self._process.leave()
            self._process = None
        self._left()
        if self.closing_since:
            self._ended(self)
        else:
            self.close()

    def close(self) -> None:
        """Let what has been written leave, then end both."""
        self.closing_since = self.closing_since or time.monotonic()
        for side in (self.client, self.backend):
            side.transport.close()

    def revoke(self) -> None:
        self.close()

    def abort(self) -> None:
        self.closing_since = self.closing_since or time.monotonic()
        for side in (self.client, self.backend):
            side.transport.abort()

    def check(self, now: float, *, connection_timeout: float, read_timeout: float) -> None:
        """End the pair when it has been silent for too long; called every second or so. 0 is for ever."""
        if self.closing_since:
            if now - self.closing_since > CLOSE_SECONDS:
                self.abort()
            return
        if self.client.seen:
            self._heard = self._heard_client = now
        elif self.backend.seen:
            self._heard = now
        self.client.seen = self.backend.seen = False
        too_silent = connection_timeout and now - self._heard > connection_timeout
        if too_silent or (read_timeout and now - self._heard_client > read_timeout):
            self.close()
