"""Runs tornado servers (Bokeh, Panel, Voila) on the unix socket, with a clean end."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any, Dict

from .listening import Listener
from .loading import framework

DRAIN_SECONDS = 4.0
# Room for identity headers and for uploads; the gateway has the limits.
HTTP_SETTINGS: Dict[str, Any] = {
    "xheaders": True,
    "max_header_size": 256 * 1024,
    "max_buffer_size": 1024**3,
    "idle_connection_timeout": 3600,
}


def new_loop() -> Any:
    """Return tornado's view of a fresh event loop, made the current one."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    return framework("tornado.ioloop").IOLoop.current()


def run(http_server: Any, loop: Any, listener: Listener) -> None:
    """Serve on ``http_server``, which has its socket, until SIGTERM and the running requests are finished."""
    running = _Running()
    running.watch(framework("tornado.web").RequestHandler, framework("tornado.websocket").WebSocketHandler)

    async def finish() -> None:
        listener.withdraw()
        until = time.monotonic() + DRAIN_SECONDS
        while running.count and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        http_server.stop()
        loop.stop()

    # Through the loop: a plain handler would run only when the loop happens to wake up.
    loop.asyncio_loop.add_signal_handler(signal.SIGTERM, loop.spawn_callback, finish)
    loop.add_callback(listener.announce)
    loop.start()


class _Running:
    """Counts requests between their head and the end of their answer; WebSockets are not requests that end."""

    def __init__(self) -> None:
        self.count = 0

    def watch(self, handler: Any, websocket: Any) -> None:
        original = handler._execute

        async def counted(this: Any, *arguments: Any, **keywords: Any) -> None:
            if isinstance(this, websocket):
                await original(this, *arguments, **keywords)
                return
            self.count += 1
            try:
                await original(this, *arguments, **keywords)
            finally:
                self.count -= 1

        handler._execute = counted
