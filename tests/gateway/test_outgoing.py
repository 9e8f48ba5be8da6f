from __future__ import annotations

import pytest

from rostra.gateway.answer_head import read_answer
from rostra.gateway.head import read_request
from rostra.gateway.outgoing import end_of_head

LENGTH, CHUNKED, UNTIL_CLOSE = b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b""


@pytest.mark.parametrize(
    ("line", "status", "framing", "keep", "expected", "why"),
    [
        (b"GET / HTTP/1.1", 200, LENGTH, True, (LENGTH + b"\r\n", True, False), "its length is known"),
        (b"GET / HTTP/1.1", 200, CHUNKED, True, (CHUNKED + b"\r\n", True, True), "chunks stay chunks"),
        (b"GET / HTTP/1.1", 200, UNTIL_CLOSE, True, (CHUNKED + b"\r\n", True, True), "the client need not be closed"),
        (b"HEAD / HTTP/1.1", 200, UNTIL_CLOSE, True, (b"\r\n", True, False), "no body follows a HEAD"),
        (b"HEAD / HTTP/1.1", 200, LENGTH, True, (LENGTH + b"\r\n", True, False), "a HEAD tells the length"),
        (b"GET / HTTP/1.1", 204, LENGTH, True, (b"\r\n", True, False), "204 has no body and no length"),
        (b"GET / HTTP/1.1", 304, UNTIL_CLOSE, True, (b"\r\n", True, False), "304 has no body"),
        (b"GET / HTTP/1.1", 200, LENGTH, False, (LENGTH + b"Connection: close\r\n\r\n", False, False), "not kept"),
        (b"GET / HTTP/1.0", 200, CHUNKED, True, (b"Connection: close\r\n\r\n", False, False), "1.0 has no chunks"),
        (b"GET / HTTP/1.0", 200, LENGTH, True, (LENGTH + b"Connection: keep-alive\r\n\r\n", True, False), "1.0 asks"),
    ],
)
def test_how_an_answer_ends(
    line: bytes, status: int, framing: bytes, keep: bool, expected: tuple[bytes, bool, bool], why: str
) -> None:
    request, _ = read_request(line + b"\r\nHost: a\r\n\r\n")
    answer = read_answer(b"HTTP/1.1 %d Fine\r\n%b\r\n" % (status, framing))
    assert end_of_head(request, answer, keep=keep) == expected, why
