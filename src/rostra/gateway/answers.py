"""The few answers the gateway gives itself: one plain line each, in the shape API clients read under ``/__api__``."""

from __future__ import annotations

import json

_REASONS = {
    307: "Temporary Redirect",
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


def plain(status: int, sentence: str, *, path: bytes = b"", head_only: bool = False, keep: bool = False) -> bytes:
    """Return a whole answer that says ``sentence``; 503 says to try again in a second."""
    if path.startswith(b"/__api__/"):
        kind = b"application/json"
        body = json.dumps({"code": 1, "error": sentence, "payload": None}).encode()
    else:
        kind, body = b"text/plain; charset=utf-8", sentence.encode() + b"\n"
    extra = b"Retry-After: 1\r\n" if status == 503 else b""
    return _whole(status, b"Content-Type: %b\r\n%b" % (kind, extra), b"" if head_only else body, len(body), keep=keep)


def redirect(location: bytes, *, keep: bool) -> bytes:
    """Return a redirect that keeps method and body. ``location`` is root-relative."""
    return _whole(307, b"Location: %b\r\n" % location, b"", 0, keep=keep)


def _whole(status: int, lines: bytes, body: bytes, length: int, *, keep: bool) -> bytes:
    connection = b"" if keep else b"Connection: close\r\n"
    start = f"HTTP/1.1 {status} {_REASONS[status]}\r\n".encode()
    return b"%bCache-Control: no-store\r\n%bContent-Length: %d\r\n%b\r\n%b" % (start, lines, length, connection, body)
