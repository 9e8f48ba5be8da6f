"""Serves ASGI applications with uvicorn: the author's own version, else the overlay's."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import signal
from typing import Any, Dict, Iterator, cast

from .failure import Failure
from .listening import Listener
from .loading import framework

DRAIN_SECONDS = 4
# Newest first; which of them works depends on the versions of uvicorn and websockets the author pinned.
_WEBSOCKETS = ("websockets-sansio", "websockets", "wsproto")


def serve(application: Any, listener: Listener) -> None:
    """Serve until SIGTERM, then finish what is running and let the application shut down.

    Raises:
        Failure: the application's own start-up failed.
    """
    uvicorn = framework("uvicorn")
    framework("uvicorn.config")
    config = uvicorn.Config(application, uds=listener.waiting, **_settings(uvicorn))
    server = _announcing(uvicorn.Server, listener)(config)
    with contextlib.suppress(SystemExit):  # newer versions leave like this when the lifespan fails
        _run(server)
    if not server.started:
        raise Failure("The application's own start-up (lifespan) failed.", "The traceback above says where.")


def _run(server: Any) -> None:
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.add_signal_handler(signal.SIGTERM, _stop, server, loop)
        loop.run_until_complete(server.serve())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop when the author installed it, as uvicorn would, else the ordinary one."""
    try:
        return cast(asyncio.AbstractEventLoop, importlib.import_module("uvloop").new_event_loop())
    except ImportError:
        return asyncio.new_event_loop()


def _stop(server: Any, loop: asyncio.AbstractEventLoop) -> None:
    server.should_exit = True
    if not server.graceful:  # a uvicorn that would wait for ever
        loop.call_later(DRAIN_SECONDS, setattr, server, "force_exit", True)


def _announcing(base: Any, listener: Listener) -> Any:
    """Return uvicorn's server class with our signals instead of its own, telling when it is ready."""

    class Server(base):  # type: ignore[misc]
        graceful = "timeout_graceful_shutdown" in inspect.signature(framework("uvicorn").Config).parameters

        def install_signal_handlers(self) -> None:
            """Ours are installed."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        def _log_started_message(self, *_: Any) -> None:
            """The author does not care where the socket is."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                listener.announce()

        async def shutdown(self, sockets: Any = None) -> None:
            listener.withdraw()
            await super().shutdown(sockets=sockets)

    return Server


def _settings(uvicorn: Any) -> Dict[str, Any]:
    """Return the settings this uvicorn knows: an author may have pinned an old one."""
    known = inspect.signature(uvicorn.Config).parameters
    wanted = {
        "access_log": False,
        "log_level": "info",
        "ws": _websockets(),
        "ws_max_size": 256 * 1024 * 1024,
        "timeout_keep_alive": 3600,  # the gateway decides when an idle connection ends, or requests race with the close
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "h11_max_incomplete_event_size": 256 * 1024,
        "proxy_headers": False,  # read in asgi.py
        "server_header": False,
        "date_header": True,
    }
    return {name: value for name, value in wanted.items() if name in known}


def _websockets() -> str:
    protocols = framework("uvicorn.config").WS_PROTOCOLS
    importer = framework("uvicorn.importer")
    for name in _WEBSOCKETS:
        with contextlib.suppress(Exception):
            if importer.import_from_string(protocols[name]) is not None:
                return name
    return "none"
