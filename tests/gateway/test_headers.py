from __future__ import annotations

import pytest

from rostra.gateway import headers
from rostra.gateway.answer_head import read_answer
from rostra.gateway.head import read_request


def to_content(*lines: str) -> str:
    return _sent(headers.for_content, lines)


def to_control(*lines: str) -> str:
    return _sent(headers.for_control, lines)


def _sent(write, lines) -> str:
    head = "\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    return write(read_request(head)[0].fields).decode("latin-1")


IDENTITY = [
    "RStudio-Connect-Credentials",
    "rstudio-connect-credentials",
    "RStudio_Connect_Credentials",
    "RSTUDIO-CONNECT_CREDENTIALS",
    "Posit-Connect-User-Session-Token",
    "Posit_Connect_User_Session_Token",
    "RStudio-Connect-App-Base-URL",
    "Shiny-Server-Credentials",
    "Shiny_Server-Credentials",
    "X-Rostra-User",
    "x_rostra_user",
    "Remote-User",
    "Remote_User",
    "X-Remote-User",
    "X-RSC-Request",
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Forwarded-User",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Real-IP",
    "Proxy",
]


@pytest.mark.parametrize("name", IDENTITY)
def test_what_a_client_says_about_identity_never_reaches_content(name: str) -> None:
    assert to_content(f"{name}: root") == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Authorization: Key secret", "an API key"),
        ("Authorization:  key secret", "schemes have no case"),
        ("Authorization: Connect-Bootstrap secret", "the first key"),
        ("X-RSC-Authorization: Key secret", "a key in the other field"),
        ("X_RSC_Authorization: Key secret", "a key in the other field, folded by WSGI"),
        ("Cookie: rsconnect=secret", "a session"),
        ("Cookie: rostra-process=secret", "ours"),
    ],
)
def test_credentials_for_rostra_never_reach_content(line: str, why: str) -> None:
    assert to_content(line) == "", why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Authorization: Bearer token", "content's own"),
        ("Authorization: Basic dTpw", "content's own"),
        ("Cookie: a=1; b=2", "content's own"),
        ("Accept: */*", "ordinary"),
        ("X_Custom: 1", "an underscore alone is no reason"),
        ("Sec-WebSocket-Key: x", "end to end"),
        ("X-Thing: \xe9", "bytes that are no ASCII"),
    ],
)
def test_the_rest_reaches_content_as_it_was(line: str, why: str) -> None:
    head = f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode("latin-1")
    assert headers.for_content(read_request(head)[0].fields) == line.encode("latin-1") + b"\r\n", why


def test_cookies_are_thinned_not_dropped() -> None:
    assert to_content("Cookie: a=1; rsconnect=s; b=2") == "Cookie: a=1; b=2\r\n"


@pytest.mark.parametrize("send", [to_content, to_control])
@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: close",),
        ("Connection: keep-alive", "Keep-Alive: timeout=5"),
        ("Proxy-Connection: keep-alive",),
        ("Proxy-Authorization: Basic x",),
        ("TE: trailers",),
        ("Trailer: X",),
        ("Upgrade: h2c", "HTTP2-Settings: x", "Connection: Upgrade, HTTP2-Settings"),
        ("Connection: X-Secret", "X-Secret: 1"),
        ("Connection: close, x-secret", "X-SECRET: 1"),
    ],
)
def test_hop_by_hop_fields_end_here(send, lines: tuple[str, ...]) -> None:
    assert send(*lines) == ""


def test_framing_is_written_again() -> None:
    assert to_content("Content-Length: 007") == "Content-Length: 7\r\n"
    assert to_content("Content-Length: 0") == "Content-Length: 0\r\n"
    assert to_content("Transfer-Encoding:  Chunked") == "Transfer-Encoding: chunked\r\n"
    assert to_content("Content_Length: 7") == ""
    assert to_content("Content-Length: 7", "Expect: 100-Continue").endswith("Expect: 100-continue\r\n")


def test_control_gets_everything_but_what_only_the_gateway_may_say() -> None:
    sent = to_control(
        "Authorization: Key k",
        "Cookie: rsconnect=s; a=1",
        "X-RSC-Authorization: k",
        "X-Rostra-Client-Address: 6.6.6.6",
        "X_Rostra_Scheme: https",
        "X-Forwarded-For: 6.6.6.6",
        "X-RSC-Request: http://evil/",
    )
    assert sent == "Authorization: Key k\r\nCookie: rsconnect=s; a=1\r\nX-RSC-Authorization: k\r\n"


def answered(*lines: str, from_content: bool = True) -> list[str]:
    answer = read_answer("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode())
    return headers.visible(answer, from_content=from_content).decode().split("\r\n")[1:-1]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Server: uvicorn", "says what to attack"),
        ("X-Powered-By: Flask", "says what to attack"),
        ("Set-Cookie: rsconnect=x; Path=/", "would say who the visitor is"),
        ("Set-Cookie: rostra-process=x", "would choose the process"),
        ("Service-Worker-Allowed: /", "would put content between visitors and the dashboard"),
        ('Alt-Svc: h3=":1"', "would send the whole origin elsewhere"),
        ('Clear-Site-Data: "cookies"', "would sign visitors out"),
        ("X-Accel-Redirect: /internal", "is an order to a proxy in front"),
        ("Keep-Alive: timeout=5", "hop by hop"),
        ("Connection: X-A", "hop by hop"),
    ],
)
def test_what_content_may_not_say(line: str, why: str) -> None:
    assert answered(line) == [], why


def test_what_content_says_else_is_kept_in_order() -> None:
    lines = [
        "Content-Type: text/html",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2; Path=/",
        "X-Accel-Buffering: no",
        "ETag: x",
    ]
    assert answered(*lines) == lines


def test_control_may_set_its_cookies() -> None:
    assert answered("Set-Cookie: rsconnect=x", "Server: uvicorn", from_content=False) == ["Set-Cookie: rsconnect=x"]


def test_a_line_cannot_become_two() -> None:
    assert headers.line("X-User", "a\r\nX-Admin: 1") == b""
    assert headers.line("X-User\r\nX", "a") == b""
    assert headers.line("X-User", '{"user": "zoë"}') == 'X-User: {"user": "zoë"}\r\n'.encode()


def test_the_table_of_spellings_cannot_be_filled() -> None:
    fates = headers.Fates({"a": headers.Fate.DROP})
    for number in range(5000):
        assert fates[b"x%d" % number] is headers.Fate.KEEP
    assert len(fates) <= 4096
    assert fates[b"A"] is headers.Fate.DROP
