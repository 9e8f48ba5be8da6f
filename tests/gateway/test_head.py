from __future__ import annotations

import pytest
from gateway.heads import REFUSED
from hypothesis import given
from hypothesis import strategies as st

from rostra.gateway.head import CHUNKED, BadHead, Request, read_request


def read(*lines: bytes) -> Request:
    return read_request(b"\r\n".join([*lines, b"", b""]))[0]


@pytest.mark.parametrize(("status", "head", "why"), REFUSED)
def test_doubtful_heads_are_refused(status: int, head: bytes, why: str) -> None:
    with pytest.raises(BadHead) as caught:
        read_request(head)
    assert caught.value.status == status, (why, caught.value.message)


def test_a_plain_head() -> None:
    request = read(b"GET /a%2Fb/../c?q=%20 HTTP/1.1", b"Host: a:80", b"User-Agent: x")
    assert (request.method, request.target, request.path) == (b"GET", b"/a%2Fb/../c?q=%20", b"/a%2Fb/../c")
    assert (request.host, request.keep_alive, request.fields.length) == (b"a:80", True, 0)


@pytest.mark.parametrize(
    ("line", "target", "host", "why"),
    [
        (b"GET http://b/c?d HTTP/1.1", b"/c?d", b"b", "the authority replaces Host"),
        (b"GET HTTPS://b:1 HTTP/1.1", b"/", b"b:1", "no path"),
        (b"GET http://b?d HTTP/1.1", b"/?d", b"b", "a query without a path"),
        (b"OPTIONS * HTTP/1.1", b"*", b"a", "about the server"),
        (b"GET //b/c HTTP/1.1", b"//b/c", b"a", "a path, whatever it looks like"),
    ],
)
def test_target_forms(line: bytes, target: bytes, host: bytes, why: str) -> None:
    request = read(line, b"Host: a")
    assert (request.target, request.host) == (target, host), why


@pytest.mark.parametrize(
    ("version", "connection", "keeps", "why"),
    [
        (b"1.1", b"", True, "the default"),
        (b"1.1", b"Close", False, "case does not matter"),
        (b"1.1", b"x, close", False, "in a list"),
        (b"1.0", b"", False, "the default"),
        (b"1.0", b"Keep-Alive", True, "asked for"),
        (b"1.0", b"keep-alive, close", True, "HTTP/1.0 has no close"),
    ],
)
def test_keep_alive_table(version: bytes, connection: bytes, keeps: bool, why: str) -> None:
    request = read(b"GET / HTTP/" + version, b"Host: a", *([b"Connection: " + connection] if connection else []))
    assert request.keep_alive is keeps, why


@pytest.mark.parametrize(
    ("lines", "expected", "why"),
    [
        ([], (b"none", b""), "nobody"),
        ([b"Authorization: Key abc"], (b"key", b"abc"), "a key"),
        ([b"Authorization: key abc"], (b"key", b"abc"), "schemes have no case"),
        ([b"X-RSC-Authorization: Key abc"], (b"key", b"abc"), "where another layer takes Authorization"),
        ([b"X-RSC-Authorization: abc"], (b"key", b"abc"), "some send the bare key"),
        ([b"Authorization: Key a", b"X-RSC-Authorization: Key b"], (b"key", b"a"), "the usual field first"),
        ([b"Authorization: Snowflake x", b"X-RSC-Authorization: Key b"], (b"key", b"b"), "that layer's own scheme"),
        ([b"Cookie: rsconnect=s"], (b"cookie", b"s"), "a session"),
        ([b"Cookie: rsconnect-legacy=s"], (b"cookie", b"s"), "a session, other name"),
        ([b"Cookie: rsconnect=s", b"Authorization: Key a"], (b"key", b"a"), "a key outranks cookies"),
        ([b"Cookie: rsconnect=s", b"Authorization: Connect-Bootstrap j"], (b"none", b""), "good for one endpoint only"),
        ([b"Cookie: rsconnect=s", b"Authorization: Bearer t"], (b"cookie", b"s"), "content's own scheme"),
        (
            [b"Cookie: rsconnect=evil; rsconnect=s"],
            (b"cookie", b"s"),
            "a longer path comes first, and pages can set it",
        ),
    ],
)
def test_credential_table(lines: list[bytes], expected: tuple[bytes, bytes], why: str) -> None:
    assert read(b"GET / HTTP/1.1", b"Host: a", *lines).fields.credential == expected, why


def test_a_websocket_is_asked_for_only_by_a_get_that_says_so_twice() -> None:
    ask = (b"Host: a", b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket")
    assert read(b"GET / HTTP/1.1", *ask).is_websocket
    assert not read(b"POST / HTTP/1.1", *ask).is_websocket
    assert not read(b"GET / HTTP/1.0", *ask).is_websocket
    assert not read(b"GET / HTTP/1.1", b"Host: a", b"Upgrade: websocket").is_websocket
    assert not read(b"GET / HTTP/1.1", b"Host: a", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c").is_websocket


def test_fields_that_connection_names_are_known() -> None:
    assert read(b"GET / HTTP/1.1", b"Host: a", b"Connection: close, X-A ,x-b").fields.named == {b"x-a", b"x-b"}


def test_equal_fields_are_not_read_twice() -> None:
    first, known = read_request(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    second, _ = read_request(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n", known)
    third, _ = read_request(b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n", known)
    assert second.fields is first.fields
    assert third.host == b"b"


def test_chunked() -> None:
    assert read(b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: Chunked").fields.length == CHUNKED


fragments = st.sampled_from(
    [
        b"GET ",
        b"POST",
        b" ",
        b"/",
        b"HTTP/1.1",
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b"Host: a",
        b"Content-Length: 5",
        b"\0",
        b"Transfer-Encoding: chunked",
        b"\t",
        b"x",
        b",",
        b"chunked",
        b"\xff",
        b"\x0b",
        b"X: y",
        b"\x85",
    ]
)


@given(st.lists(st.one_of(fragments, st.binary(max_size=8)), max_size=30))
def test_any_bytes_are_read_or_refused(parts: list[bytes]) -> None:
    head = b"".join(parts).replace(b"\r\n\r\n", b"") + b"\r\n\r\n"
    try:
        request, _ = read_request(head)
    except BadHead:
        return
    lines = head[:-4].split(b"\r\n")
    assert not any(mark in line for line in lines for mark in (b"\r", b"\n", b"\0"))
    assert all(b":" in line and line[:1] not in b" \t" for line in lines[1:])
    assert len(request.fields.items) == len(lines) - 1
    lengths = [line for line in lines if line.lower().startswith((b"content-length:", b"transfer-encoding:"))]
    assert len(lengths) <= 1
