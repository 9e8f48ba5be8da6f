"""What a framework is spoken to through, content whose first page came, and what is found of its code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.client import ClientConnection, unix_connect

from rostra.execution import sockets
from rostra.rehearsal.page import HOST, Page

QUIET_SECONDS = 2.0  # after this long without a word nothing more is coming
_LARGEST = 64_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """``failed``: what the framework says went wrong in the author's code, empty when nothing did.

    ``ran`` is False when that code was not reached, and ``unseen`` says in a sentence what was not exercised.
    """

    ran: bool = True
    failed: str = ""
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Content whose first page came. ``base`` is the path it is served under, with a closing slash."""

    socket: Path
    base: str
    page: Page

    @asynccontextmanager
    async def talk(self, path: str, *subprotocols: str) -> AsyncIterator[ClientConnection]:
        connection = unix_connect(
            uri=f"ws://{HOST}{path}",
            origin=f"http://{HOST}",
            subprotocols=list(subprotocols) or None,
            max_size=_LARGEST,
            compression=None,
            sock=sockets.connect(self.socket),
        )
        async with connection as talking:
            yield talking
