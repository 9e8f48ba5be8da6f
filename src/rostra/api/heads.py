"""Answers HEAD wherever GET is answered: what checks whether something is there does not want to read it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Headed:
    """Hands a HEAD to whatever answers GET, and keeps the body back; status and headers are those of the GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)
