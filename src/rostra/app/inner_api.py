"""The API as the dashboard asks it: in this process, as the person whose browser sent the form.

What a form may do, what it changes and what the audit log says of it is therefore the API's, once.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Message

from rostra import errors
from rostra.api.edge import MOUNT
from rostra.auth import sessions

log = structlog.get_logger()

BUG = "something went wrong inside the server"
# What says who asks, and by which address the server was reached; bodies and their headers are the call's own.
_KEPT = ("host", "authorization", "x-rsc-authorization", "user-agent", "x-forwarded-proto", "x-rostra-client-address")
_FAMILIES: dict[int, type[errors.Problem]] = {
    400: errors.Invalid,
    401: errors.NotSignedIn,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.TooLarge,
    503: errors.Unavailable,
}


class InnerApi:
    def __init__(self, api: ASGIApp) -> None:
        self._router = Router(routes=[Mount(MOUNT, api)])

    async def ask(self, request: Request, method: str, path: str, body: object = None) -> Any:
        """Return what the API answers to the person behind ``request``; ``path`` begins behind the API's mount.

        The caller has checked the form's token: a request that changes something is sent with the session's own.

        Args:
            body: sent as JSON, bytes as they are.

        Raises:
            Problem: of the family that fits the answer's status, with the API's own words.
        """
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        status, answer = await self._call(_scope(request, method, path), sent)
        told = json.loads(answer) if answer[:1] in {b"{", b"["} else None
        if status < 400:
            return told
        family = _FAMILIES.get(status, errors.Problem if status >= 500 else errors.Invalid)
        words = told.get("error") if isinstance(told, dict) else None
        raise family(str(words or BUG), hint="" if words else "Try again. The server's log has the details.")

    async def _call(self, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
        status, pieces = 500, bytearray()
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body":
                pieces.extend(message.get("body", b""))

        try:
            await self._router(scope, receive, send)
        except Exception as bug:  # the API has logged it and answered 500, then let it go on to the server
            log.error("the API failed while a page asked it", path=scope["path"], why=repr(bug))
            return 500, b""
        return status, bytes(pieces)


def _scope(request: Request, method: str, path: str) -> dict[str, Any]:
    where, _, query = path.partition("?")
    headers = MutableHeaders()
    for name in _KEPT:
        if name in request.headers:
            headers[name] = request.headers[name]
    token = request.cookies.get(sessions.COOKIE)
    if token:
        xsrf = sessions.xsrf_of(token)
        headers["cookie"] = f"{sessions.COOKIE}={token}; {sessions.XSRF_COOKIE}={xsrf}"
        headers[sessions.XSRF_HEADER] = xsrf
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": request.url.scheme,
        "path": f"{MOUNT}/{where}",
        "raw_path": f"{MOUNT}/{quote(where)}".encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": request.scope.get("root_path", ""),
        "headers": headers.raw,
        "client": request.scope.get("client"),
        "server": request.scope.get("server"),
    }
