"""Request bodies: JSON whatever its media type is called, of bounded size, and read to the end before an error."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import MutableMapping
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rostra.auth.principals import BadCredential
from rostra.errors import Invalid, TooLarge

LONGEST_JSON = 4_000_000  # bytes; variables may hold certificates and the like
DRAIN_BYTES = 16_000_000_000
DRAIN_SECONDS = 600.0

T = TypeVar("T")


class BodyTooLarge(TooLarge):
    code = "body-too-large"
    number = 125

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the request's body is larger than {limit_bytes} bytes", hint="Send less at a time.")


class BadJson(Invalid):
    code = "bad-json"
    number = 87

    def __init__(self, why: str) -> None:
        super().__init__(f"the request's body is not usable: {why}", hint="Send the JSON the reference describes.")


class BodyInterrupted(Invalid):
    """The client went away; nobody reads this."""

    code = "body-interrupted"
    number = 126

    def __init__(self) -> None:
        super().__init__("the request's body ended early", hint="Send it again.")


async def whole(request: Request, limit: int = LONGEST_JSON) -> bytes:
    """Return the body, remembered for whoever asks again.

    Raises:
        BodyTooLarge, BodyInterrupted
        BadCredential: another body was signed.
    """
    known = getattr(request.state, "whole_body", None)
    if known is None:
        known = request.state.whole_body = await _read(request, limit)
        signed = getattr(request.state, "signed", None)
        if signed is not None and not signed.covers(known):
            raise BadCredential
    return cast(bytes, known)


async def _read(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise BodyTooLarge(limit)
            parts.append(part)
    except ClientDisconnect as why:
        raise BodyInterrupted from why
    return b"".join(parts)


def understood(adapter: TypeAdapter[T], raw: bytes) -> T:
    """Raises: BadJson."""
    try:
        return adapter.validate_python(
            json.loads(raw, parse_float=_finite, parse_constant=_finite) if raw.strip() else {}
        )
    except ValidationError as why:
        first = why.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadJson(f"{where}: {first['msg']}" if where else first["msg"]) from why
    except (ValueError, RecursionError) as why:
        raise BadJson(f"not JSON ({str(why)[:200]})") from why


def _finite(text: str) -> float:
    """Read a number as JSON has them; Python's reader would take ``NaN``, which no database's JSON does."""
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text[:20]} is no number")
    return found


class Drained:
    """Reads what is left of a request's body before an error is answered, so that a client still sending can read it.

    Also says with every answer that nobody should remember it or guess its type.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        over = False

        async def receiving() -> Message:
            nonlocal over
            message = await receive()
            over = over or _is_last(message)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] >= 400 and not over:
                    await _drain(receiving, lambda: over)
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", "no-store")
                headers.setdefault("x-content-type-options", "nosniff")
            await send(message)

        await self._app(scope, receiving, sending)


def _is_last(message: MutableMapping[str, Any]) -> bool:
    return message["type"] == "http.disconnect" or not message.get("more_body", False)


async def _drain(receive: Receive, over: Any) -> None:
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not over() and left > 0:
                left -= len((await receive()).get("body", b""))
    except TimeoutError:
        return
