"""Answers the gateway on control.sock until the server is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from rostra.app import STOP_EVERYTHING

BACKLOG = 1024
FINISH_SECONDS = 5  # how long answers on their way may take at the end


class Signals:
    """SIGTERM and SIGINT set ``stop``, and content goes on for the next control process.

    ``STOP_EVERYTHING`` sets ``everything``, too. SIGHUP is for whoever says what to do then; one that came before is
    remembered.

    Installed before anything is opened: the default of each would end the process half-way.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.everything = False
        self._hung_up = False
        self._loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, self.stop.set)
        self._loop.add_signal_handler(STOP_EVERYTHING, self._stop_everything)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _stop_everything(self) -> None:
        self.everything = True
        self.stop.set()

    def _hang_up(self) -> None:
        self._hung_up = True

    def on_hangup(self, group: asyncio.TaskGroup, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``work`` in ``group`` at each SIGHUP; one that comes meanwhile runs after it."""
        turn = asyncio.Lock()

        async def one() -> None:
            async with turn:
                await work()

        self._loop.add_signal_handler(signal.SIGHUP, lambda: group.create_task(one()))
        if self._hung_up:
            group.create_task(one())


class _Server(uvicorn.Server):
    """Leaves signals alone: its own handling ends the process before anything else could be closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Starlette, path: Path, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Answer on the unix socket ``path`` (0600) until ``stop`` is set, then let what is on its way finish.

    ``ready`` is called once connections are accepted.
    """
    settings = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = _Server(settings)
    with _listening(path) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        waiting = asyncio.create_task(stop.wait())
        try:
            ready()  # the socket listens already: whoever connects now is only not read yet
            await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            server.should_exit = True
            await serving


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(BACKLOG)
        yield listening
