from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.gateway.answer_head import UNTIL_CLOSE, BadAnswer, read_answer
from rostra.gateway.head import CHUNKED


@pytest.mark.parametrize(
    ("head", "status", "length", "keeps", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, 5, True, "a length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", 200, CHUNKED, True, "chunks"),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, UNTIL_CLOSE, True, "neither"),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0, True, "no reason phrase"),
        (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 204, UNTIL_CLOSE, False, "the last one"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 200, 5, False, "an old server"),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
            200,
            5,
            True,
            "an old server that stays",
        ),
    ],
)
def test_answer_table(head: bytes, status: int, length: int, keeps: bool, why: str) -> None:
    answer = read_answer(head)
    assert (answer.status, answer.length, answer.keep_alive) == (status, length, keeps), why


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "a coding nobody here undoes"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 knows no chunks"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "no status"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "no status"),
        (b"HTTP/2 200\r\n\r\n", "another version"),
        (b"HTTP/1.1 200 OK\nX: y\r\n\r\n", "a bare line feed"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "a folded line"),
        (b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "a space before the colon"),
        (b"HTTP/1.1 200 OK\r\nX: a\x00\r\n\r\n", "a NUL"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 501 + b"\r\n", "too many fields"),
        (b"hello\r\n\r\n", "no HTTP"),
    ],
)
def test_doubtful_answers_are_refused(head: bytes, why: str) -> None:
    with pytest.raises(BadAnswer):
        read_answer(head)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    with contextlib.suppress(BadAnswer):
        read_answer(b"HTTP/1.1 200 OK\r\n" + tail.replace(b"\r\n\r\n", b"") + b"\r\n\r\n")
