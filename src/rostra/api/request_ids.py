"""A name for each request: in its answer, and in every line logged meanwhile, so that one is found by the other."""

from __future__ import annotations

import re
import secrets

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_MARK = "rostra.request_named"
_SOUND = re.compile(r"[A-Za-z0-9._=+/-]{1,64}")  # what may stand in a log line as it is


class Named:
    """Gives each request the name its client sent with it, when that is sound, else one of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _MARK in scope:
            await self._app(scope, receive, send)
            return
        scope[_MARK] = True  # a part of the server that names requests itself leaves this one its name
        name = name_of(Headers(scope=scope).get(HEADER, ""))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        with structlog.contextvars.bound_contextvars(request=name):
            await self._app(scope, receive, sending)


def name_of(sent: str) -> str:
    """Return the name for a request that came with this one."""
    return sent if _SOUND.fullmatch(sent) else secrets.token_hex(8)
