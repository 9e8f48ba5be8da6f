"""Heads that nginx refuses are refused here too: the second opinion is a maintained proxy, not our own reading."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.contract_sockets import MARKED, SMUGGLED, Marked, marked_world
from gateway.heads import REFUSED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.gateways import ThreadGateway

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log crit;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://unix:{backend}:; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

ACCEPTED = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "plain"),
    (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "an empty line before"),
    (b"GET / HTTP/1.0\r\n\r\n", "no host in HTTP/1.0"),
    (b"GET /x/%2e%2e/y HTTP/1.1\r\nHost: a\r\n\r\n", "an odd path"),
    (b'GET /a?b"<>|{}^`\\ HTTP/1.1\r\nHost: a\r\n\r\n', "an odd query"),
    (b"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "absolute form"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "an empty body"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", "a body"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:2  \r\n\r\nab", "spaces around a value"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "chunks"),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2;x\r\nab\r\n0\r\n\r\n",
        "chunks with an extension",
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\t\xff\r\n\r\n", "bytes in a value"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", "an empty value"),
    (b"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "another method"),
    (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "an address as host"),
]

LAXER = [
    (b"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", "decided by its literal beginning and carried raw: nothing resolves it"),
    (b"GET /%2e%2e%2f/x HTTP/1.1\r\nHost: a\r\n\r\n", "the same, encoded"),
]


class Nginx:
    def __init__(self, folder: Path, backend: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=self.port, backend=backend))
        assert NGINX is not None
        self.process = subprocess.Popen([NGINX, "-c", str(config), "-e", str(folder / "log")])
        for _ in range(200):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise AssertionError("nginx does not listen")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Marked, Marked]]:
    """The gateway and nginx, each before the same control."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    with marked_world(ThreadGateway) as ours, tempfile.TemporaryDirectory(prefix="rn-") as name:
        nginx = Nginx(Path(name), ours.control.http.path)
        try:
            yield ours, Marked(ours.portal, ours.control, ours.server, nginx.port)
        finally:
            nginx.close()


@pytest.mark.parametrize(("head", "why"), [(head, why) for _, head, why in REFUSED])
def test_what_we_refuse_reaches_nobody(both: tuple[Marked, Marked], head: bytes, why: str) -> None:
    statuses, targets = both[0].reached(head + b"0\r\n\r\n")
    assert targets == [], why
    assert [status for status in statuses if status >= 400], why


@pytest.mark.parametrize(("head", "why"), ACCEPTED)
def test_what_both_accept_arrives_once(both: tuple[Marked, Marked], head: bytes, why: str) -> None:
    for plane in both:
        statuses, targets = plane.reached(head)
        assert (statuses, len(targets)) == ([200], 1), why


@pytest.mark.parametrize(("head", "why"), [(head, why) for _, head, why in REFUSED] + ACCEPTED)
def test_what_nginx_refuses_we_refuse(both: tuple[Marked, Marked], head: bytes, why: str) -> None:
    ours, nginx = both
    if nginx.reached(head, patience=0.2 if (head, why) not in ACCEPTED else 5)[1] == []:
        assert ours.reached(head)[1] == [], why


@pytest.mark.parametrize(("head", "why"), LAXER)
def test_what_only_nginx_refuses_goes_to_control_alone(both: tuple[Marked, Marked], head: bytes, why: str) -> None:
    ours, nginx = both
    assert nginx.reached(head)[1] == []
    assert (ours.reached(head)[1], ours.server.requests) == ([head.split()[1].decode()], []), why


SPACES = st.sampled_from([b"", b" ", b"\t", b"  ", b"\x0b", b"\r", b"\0"])
FIELDS = st.one_of(
    st.tuples(
        st.sampled_from([b"Content-Length", b"content-length", b"Content_Length", b"Content-Length\t"]),
        st.sampled_from(
            [b"0", b"5", b"%d" % len(SMUGGLED), b"+5", b"5, 5", b"5,6", b"0x5", b"5 5", b"18446744073709551621"]
        ),
    ),
    st.tuples(
        st.sampled_from([b"Transfer-Encoding", b"transfer-encoding", b"Transfer_Encoding", b" Transfer-Encoding"]),
        st.sampled_from([b"chunked", b"Chunked", b"identity", b"gzip, chunked", b"chunked, chunked", b"x", b""]),
    ),
    st.tuples(
        st.sampled_from([b"Connection", b"Expect", b"X", b"Upgrade", b"TE"]),
        st.sampled_from([b"close", b"keep-alive", b"100-continue", b"Transfer-Encoding", b"websocket", b"trailers"]),
    ),
)
BODIES = st.sampled_from(
    [
        SMUGGLED,
        b"0\r\n\r\n" + SMUGGLED,
        b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
        b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n" + SMUGGLED,
        b"005\r\nhello\r\n00\r\n\r\n" + SMUGGLED,
        b"5\nhello\n0\n\n" + SMUGGLED,
        b"-1\r\n\r\n" + SMUGGLED,
        b"hello" + SMUGGLED,
        b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    ]
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"])
METHODS = st.sampled_from([b"POST", b"GET", b"HEAD", b"OPTIONS"])


def test_a_request_that_follows_another_is_seen_by_both(both: tuple[Marked, Marked]) -> None:
    """So that the comparison below compares something."""
    for plane in both:
        sent = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello%b" % (MARKED.encode(), SMUGGLED)
        assert f"{MARKED}smuggled" in plane.reached(sent)[1]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(METHODS, VERSIONS, st.lists(st.tuples(FIELDS, SPACES, SPACES), max_size=3), BODIES)
def test_what_is_hidden_in_a_body_arrives_only_where_nginx_sees_it_too(
    both: tuple[Marked, Marked],
    method: bytes,
    version: bytes,
    fields: list[tuple[tuple[bytes, bytes], bytes, bytes]],
    body: bytes,
) -> None:
    """Two readers of one stream that disagree where a request ends are how requests are smuggled."""
    lines = b"".join(b"%b:%b%b%b\r\n" % (name, before, value, after) for (name, value), before, after in fields)
    sent = b"%b %b %b\r\nHost: a\r\n%b\r\n%b" % (method, MARKED.encode(), version, lines, body)
    ours, nginx = both
    hidden = f"{MARKED}smuggled"
    if hidden in ours.reached(sent, patience=0.3)[1]:
        assert hidden in nginx.reached(sent, patience=2)[1], sent
