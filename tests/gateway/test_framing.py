from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.gateway.framing import LAST_CHUNK, BadFraming, Body, Chunked, Length, UntilClose, chunk


def fed(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    """Feed ``pieces``; return the whole payload, and the rest when the body ended."""
    payload = b""
    for number, piece in enumerate(pieces):
        more, rest = body.feed(piece)
        payload += more
        if rest is not None:
            return payload, rest + b"".join(pieces[number + 1 :])
    return payload, None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


places = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.binary(max_size=20), places)
def test_chunks_come_back_however_they_are_cut(payloads: list[bytes], rest: bytes, where: list[int]) -> None:
    sent = b"".join(map(chunk, payloads)) + LAST_CHUNK + rest
    assert fed(Chunked(), cut(sent, where)) == (b"".join(payloads), rest)


@given(st.binary(max_size=100), st.binary(max_size=20), places)
def test_a_length_is_kept_however_it_is_cut(payload: bytes, rest: bytes, where: list[int]) -> None:
    if payload:
        assert fed(Length(len(payload)), cut(payload + rest, where)) == (payload, rest)


@given(st.binary(max_size=200), places)
def test_cutting_never_changes_what_is_read(data: bytes, where: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return fed(Chunked(), pieces)
        except BadFraming:
            return "refused"

    assert outcome([data]) == outcome(cut(data, where))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"5\nhello\r\n0\r\n\r\n", "a bare line feed"),
        (b"5\r\nhello0\r\n\r\n", "a chunk longer than it says"),
        (b"5\r\nhello\n0\r\n\r\n", "a bare line feed behind the data"),
        (b"5\r\nhello\rX", "a bare carriage return behind the data"),
        (b"-5\r\n", "a sign"),
        (b"+5\r\nhello\r\n", "a sign"),
        (b"0x5\r\nhello\r\n", "a prefix some readers take for zero"),
        (b"5_0\r\n", "an underscore, which int() would take"),
        (b" 5\r\nhello\r\n", "a space before"),
        (b"\r\n", "no size"),
        (b";a=b\r\n", "no size, only an extension"),
        (b"5;a\rb\r\n", "a bare carriage return in an extension"),
        (b"5;a\nb\r\n", "a bare line feed in an extension"),
        (b"1" * 16 + b"\r\n", "a size beyond reason"),
        (b"5;" + b"a" * 5000, "an extension without end"),
        (b"0\r\nA b: c\r\n\r\n", "a malformed trailer"),
        (b"0\r\n\nGET / HTTP/1.1\r\n\r\n", "a bare line feed where the end should be"),
        (b"0\r\n" + b"A: b\r\n" * 65 + b"\r\n", "trailers without end"),
    ],
)
def test_doubtful_chunks_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadFraming):
        Chunked().feed(data)
    with pytest.raises(BadFraming):
        fed(Chunked(), [bytes([byte]) for byte in data])


@pytest.mark.parametrize(
    ("data", "payload", "why"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", "plain"),
        (b"5;a=b;c\r\nhello\r\n0\r\n\r\n", b"hello", "extensions are dropped"),
        (b"005\r\nhello\r\n000\r\n\r\n", b"hello", "leading zeros"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", "upper case"),
        (b"5 \r\nhello\r\n0\r\n\r\n", b"hello", "trailing space, sent by some old servers"),
        (b"0\r\nX-Sum: 1\r\n\r\n", b"", "trailers are dropped"),
    ],
)
def test_good_chunks(data: bytes, payload: bytes, why: str) -> None:
    assert Chunked().feed(data) == (payload, b""), why


def test_an_empty_chunk_would_end_the_body_so_there_is_none() -> None:
    assert chunk(b"") == b""


def test_until_close_never_ends_by_itself() -> None:
    assert UntilClose().feed(b"x") == (b"x", None)
