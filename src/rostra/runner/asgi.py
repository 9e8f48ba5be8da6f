"""Gives an ASGI application each request as the visitor made it: root path, scheme, host and address."""

from __future__ import annotations

import sys
from typing import Any, Awaitable, Callable, Dict, List, Tuple, Union

from . import forwarded

Scope = Dict[str, Any]
Receive = Callable[[], Awaitable[Dict[str, Any]]]
Send = Callable[[Dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Frameworks that look at `path` alone and expect the root path to be gone from it.
_WANT_STRIPPED = ("falcon", "sanic")
_STARLETTE_TAKES_WHOLE_PATH = (0, 33)


class UnderBasePath:
    """``prefix`` has no closing slash. ``stripped``: the application does not want it in ``path``."""

    def __init__(self, application: Application, prefix: str, *, stripped: bool) -> None:
        self._application = application
        self._prefix = prefix
        self._stripped = stripped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self._as_visited(dict(scope))
        await self._application(scope, receive, send)

    def _as_visited(self, scope: Scope) -> Scope:
        headers: List[Tuple[bytes, bytes]] = list(scope["headers"])
        values = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        said = forwarded.read(values.get)
        if said.scheme:
            secure = said.scheme == "https"
            scope["scheme"] = ("wss" if secure else "ws") if scope["type"] == "websocket" else said.scheme
        if said.host:
            kept = [pair for pair in headers if pair[0] != b"host"]
            scope["headers"] = [(b"host", said.host.encode("latin-1")), *kept]
        scope["client"] = (said.client or "127.0.0.1", 0)
        self._mount(scope)
        return scope

    def _mount(self, scope: Scope) -> None:
        path = scope["path"]
        if not self._prefix or not (path == self._prefix or path.startswith(self._prefix + "/")):
            return
        scope["root_path"] = self._prefix
        if self._stripped:
            scope["path"] = path[len(self._prefix) :] or "/"
            scope["raw_path"] = self._without_prefix(scope.get("raw_path") or b"")

    def _without_prefix(self, raw: Union[bytes, str]) -> bytes:
        """The raw path may be escaped differently, but has as many slashes."""
        if isinstance(raw, str):  # uvicorn had it as text on WebSockets until 0.16
            raw = raw.encode("latin-1")
        slashes = self._prefix.count("/") + 1
        return b"/" + b"".join(raw.split(b"/", slashes)[slashes:])


class DocumentationAtRoot:
    """Sends a visitor of ``/`` to the generated documentation when the application has no page there."""

    def __init__(self, application: Application, prefix: str, documentation: str) -> None:
        self._application = application
        self._roots = ("/", prefix + "/")  # without and with the root path in it
        self._documentation = (prefix + documentation).encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in self._roots:
            send = _InsteadOfNotFound(send, self._documentation)
        await self._application(scope, receive, send)


class _InsteadOfNotFound:
    def __init__(self, send: Send, location: bytes) -> None:
        self._send = send
        self._location = location
        self._redirecting = False

    async def __call__(self, message: Dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] == 404:
            self._redirecting = True
            headers = [(b"location", self._location), (b"content-length", b"0")]
            await self._send({"type": "http.response.start", "status": 307, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})
        elif not self._redirecting:
            await self._send(message)


def mounted(application: Any, prefix: str) -> Application:
    """Return ``application`` served under ``prefix``."""
    inner: Application = application
    documentation = getattr(application, "docs_url", None)
    if isinstance(documentation, str) and getattr(application, "openapi_url", None):
        inner = DocumentationAtRoot(inner, prefix, documentation)
    return UnderBasePath(inner, prefix, stripped=wants_stripped_path(application))


def wants_stripped_path(application: Any) -> bool:
    """Whether ``path`` must come without the root path; the specification has it in since 2023, not all follow."""
    made_by = {cls.__module__.partition(".")[0] for cls in type(application).__mro__}
    if made_by.intersection(_WANT_STRIPPED):
        return True
    starlette = sys.modules.get("starlette")
    return starlette is not None and _version(starlette.__version__) < _STARLETTE_TAKES_WHOLE_PATH


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
