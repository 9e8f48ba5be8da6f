from __future__ import annotations

import pytest

from rostra.gateway.forwarding import Forwarding, lines_for_content, lines_for_control
from rostra.gateway.head import Request, read_request
from rostra.gateway.settings import Settings


def request(*lines: str, target: str = "/content/a/x?y") -> Request:
    return read_request("\r\n".join([f"GET {target} HTTP/1.1", "Host: inner:1", *lines, "", ""]).encode())[0]


CLAIMS = (
    "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 10.0.0.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: outer.test",
    "X-RSC-Request: https://outer.test/content/a/x?y",
)


def test_nobody_is_believed_by_default_not_even_on_loopback() -> None:
    forwarding = Forwarding(Settings())
    assert not forwarding.trusts("127.0.0.1")
    whence = forwarding.whence(b"127.0.0.1", request(*CLAIMS), trusted=False)
    assert (whence.address, whence.chain, whence.scheme) == (b"127.0.0.1", b"127.0.0.1", b"http")
    assert (whence.host, forwarding.url(whence, b"/content/a/x?y")) == (b"inner:1", b"http://inner:1/content/a/x?y")


def test_a_trusted_proxy_is_believed() -> None:
    forwarding = Forwarding(Settings(trusted_proxies=("10.0.0.0/8",)))
    assert forwarding.trusts("10.1.2.3")
    whence = forwarding.whence(b"10.1.2.3", request(*CLAIMS), trusted=True)
    assert whence.address == b"7.7.7.7"  # what stands before it, the visitor may have made up
    assert whence.chain == b"6.6.6.6, 7.7.7.7, 10.0.0.9, 10.1.2.3"
    assert (whence.scheme, whence.host, whence.is_secure) == (b"https", b"outer.test", True)
    assert (whence.origin, forwarding.url(whence, b"/inner")) == (
        b"https://outer.test",
        b"https://outer.test/content/a/x?y",
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("X-Forwarded-Proto: gopher", "no scheme of ours"),
        ("X-Forwarded-For: 10.0.0.9", "only proxies of ours"),
        ("Accept: */*", "no claim at all"),
    ],
)
def test_a_trusted_proxy_that_says_little(line: str, why: str) -> None:
    forwarding = Forwarding(Settings(trusted_proxies=("10.0.0.0/8",)))
    whence = forwarding.whence(b"10.1.2.3", request(line), trusted=True)
    assert (whence.address, whence.scheme, whence.host) == (b"10.1.2.3", b"http", b"inner:1"), why


def test_the_address_of_the_settings_is_what_visitors_know() -> None:
    forwarding = Forwarding(Settings(address="https://outer.test/rsc", path_prefix="/rsc"))
    whence = forwarding.whence(b"1.2.3.4", request(), trusted=False)
    assert forwarding.url(whence, b"/content/a/x?y") == b"https://outer.test/rsc/content/a/x?y"
    assert whence.is_secure


def test_lines() -> None:
    whence = Forwarding(Settings()).whence(b"1.2.3.4", request(), trusted=False)
    assert lines_for_content(whence, b"/content/a/").decode().split("\r\n") == [
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: inner:1",
        "X-Real-IP: 1.2.3.4",
        "RStudio-Connect-App-Base-URL: http://inner:1/content/a",
        "",
    ]
    assert lines_for_control(whence, stripped=b"/rsc", reason=b"starting").decode().split("\r\n") == [
        "X-Rostra-Client-Address: 1.2.3.4",
        "X-Rostra-Scheme: http",
        "X-Rostra-Host: inner:1",
        "X-Rostra-Prefix: /rsc",
        "X-Rostra-Reason: starting",
        "",
    ]
