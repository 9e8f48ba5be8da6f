"""Serves a WSGI application under its base path, with waitress."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Callable, Dict, Iterable
from urllib.parse import unquote_to_bytes

from . import forwarded
from .listening import Listener
from .loading import framework
from .options import Options

DRAIN_SECONDS = 4.0
THREADS = 20  # as many as connections a process is given, so that no request waits for another

Environ = Dict[str, Any]


class UnderBasePath:
    """Gives the application the request as the visitor made it: SCRIPT_NAME, scheme, host and address."""

    def __init__(self, application: Callable[..., Iterable[bytes]], base_path: str) -> None:
        self._application = application
        self._prefix = unquote_to_bytes(base_path).decode("latin-1").rstrip("/")

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        said = forwarded.read(lambda name: environ.get("HTTP_" + name.upper().replace("-", "_")))
        self._mount(environ)
        if said.scheme:
            environ["wsgi.url_scheme"] = said.scheme
        if said.host:
            environ["HTTP_HOST"] = said.host
        _name_server(environ)
        environ["REMOTE_ADDR"] = said.client or "127.0.0.1"
        environ["REMOTE_HOST"] = environ["REMOTE_ADDR"]
        return self._application(environ, start_response)

    def _mount(self, environ: Environ) -> None:
        path = environ.get("PATH_INFO", "")
        if path == self._prefix or path.startswith(self._prefix + "/"):
            environ["SCRIPT_NAME"] = self._prefix
            environ["PATH_INFO"] = path[len(self._prefix) :]


def _name_server(environ: Environ) -> None:
    host = environ.get("HTTP_HOST", "localhost")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, "443" if environ["wsgi.url_scheme"] == "https" else "80"
    environ["SERVER_NAME"], environ["SERVER_PORT"] = name, port


def serve(application: Callable[..., Iterable[bytes]], options: Options, listener: Listener) -> None:
    """Serve until SIGTERM, then finish what is running."""
    waitress = framework("waitress.server")
    connections: Dict[int, Any] = {}
    server = waitress.create_server(
        UnderBasePath(application, options.base_path),
        map=connections,
        sockets=[listener.bound()],
        **_settings(framework("waitress.adjustments").Adjustments),
    )
    stopping = _Terminated(connections)
    listener.announce()
    while not stopping.asked:
        _turn(server, connections)
    listener.withdraw()
    _drain(server, connections)


def _settings(known: Any) -> Dict[str, Any]:
    """Return the settings this waitress knows: an author may have pinned an old one."""
    wanted = {
        "threads": THREADS,
        "channel_timeout": 3600,  # the gateway decides when an idle connection ends, or requests race with the close
        "cleanup_interval": 30,
        "connection_limit": 1000,
        "max_request_body_size": 1 << 62,  # the gateway has the limit
        "send_bytes": 1,  # send what is yielded when it is yielded
        "clear_untrusted_proxy_headers": False,  # the gateway is the proxy, and has cleared them
        "ident": None,
    }
    return {name: value for name, value in wanted.items() if hasattr(known, name)}


class _Terminated:
    """Notes SIGTERM, and is something for waitress to wait for: a signal that another thread receives wakes nobody."""

    def __init__(self, connections: Dict[int, Any]) -> None:
        self.asked = False
        self._end, written = os.pipe()
        os.set_blocking(written, False)
        connections[self._end] = self
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.asked = True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        os.read(self._end, 512)


def _turn(server: Any, connections: Dict[int, Any]) -> None:
    server.asyncore.loop(timeout=30.0, use_poll=True, map=connections, count=1)


def _drain(server: Any, connections: Dict[int, Any]) -> None:
    """Let running requests finish and their answers leave; idle connections are closed at once."""
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until and any(map(_busy, list(connections.values()))):
        server.asyncore.loop(timeout=0.05, use_poll=True, map=connections, count=1)
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=0.1)


def _busy(channel: Any) -> bool:
    return bool(getattr(channel, "requests", None) or getattr(channel, "total_outbufs_len", 0))
