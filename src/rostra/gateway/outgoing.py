"""The heads written anew between the two ends: of a request for content or control, and how an answer's body ends.

Pure: values in, bytes out. What the exchange remembers and sends stays with it.
"""

from __future__ import annotations

from typing import NamedTuple

from rostra.gateway import forwarding, headers
from rostra.gateway.answer_head import Answer
from rostra.gateway.decide import Decision
from rostra.gateway.head import Fields, Request

UPGRADED = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


class KnownLines(NamedTuple):
    """The header lines for content that depend on these alone; kept for the next request of the same connection."""

    fields: Fields
    host: bytes
    decision: Decision
    whence: forwarding.Whence
    lines: bytes


def lines_for_content(request: Request, decision: Decision, whence: forwarding.Whence, base: bytes) -> KnownLines:
    """Return the lines for content; ``base`` is its path as visitors see it."""
    fields = request.fields
    lines = headers.for_content(fields) + forwarding.lines_for_content(whence, base) + decision.identity
    return KnownLines(fields, request.host, decision, whence, lines)


def head_for_content(request: Request, target: bytes, url: bytes, lines: bytes) -> bytes:
    """Return the head with the known ``lines``; ``url`` is what the visitor asked for."""
    upgrade = UPGRADED if request.is_websocket else b""
    start = b"%b %b HTTP/1.1\r\nHost: %b\r\nX-RSC-Request: %b\r\n" % (request.method, target, request.host, url)
    return start + lines + upgrade + b"\r\n"


def head_for_control(request: Request, whence: forwarding.Whence, *, stripped: bytes, reason: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b%b\r\n" % (
        request.method,
        request.target,
        request.host,
        headers.for_control(request.fields),
        forwarding.lines_for_control(whence, stripped=stripped, reason=reason),
        UPGRADED if request.is_websocket else b"",
    )


class EndOfHead(NamedTuple):
    """``end``: the framing lines and the empty line. ``keep``: whether the client connection can be used again."""

    end: bytes
    keep: bool
    chunks: bool


def end_of_head(request: Request, answer: Answer, *, keep: bool) -> EndOfHead:
    """Decide how the body of ``answer`` ends for the client, and end its head so."""
    length = answer.length
    chunks = False
    if length >= 0 and answer.status != 204:
        framing = b"Content-Length: %d\r\n" % length
    elif request.method == b"HEAD" or answer.has_no_body:
        framing = b""
    elif request.minor:
        chunks = True
        framing = b"Transfer-Encoding: chunked\r\n"
    else:
        keep = False  # for HTTP/1.0 the end of the connection is the end of the body
        framing = b""
    connection = b""
    if not keep:
        connection = b"Connection: close\r\n"
    elif not request.minor:
        connection = b"Connection: keep-alive\r\n"
    return EndOfHead(framing + connection + b"\r\n", keep, chunks)
