"""People of a running server, each with an API key made the way people make one: signed in with a browser."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import httpx2

from support.server import Server

PASSWORD = "correct horse"


def account(server: Server, name: str, role: str) -> str:
    """Make an account; return an API key of it. The administrator's own key must be known to the server's record."""
    server.ask("/__api__/v1/users", "POST", {"username": name, "user_role": role, "password": PASSWORD})
    return key_of(server, name)


def key_of(server: Server, name: str, password: str = PASSWORD) -> str:
    """Sign in as a browser does, make a key, and return it."""
    with httpx2.Client(base_url=server.url, follow_redirects=False, timeout=120) as browser:
        _sign_in(browser, name, password)
        headers = {"X-Rsc-Xsrf": browser.cookies["RSC-XSRF"]}
        me = browser.get("/__api__/v1/user").json()["guid"]
        made = browser.post(f"/__api__/v1/users/{me}/keys", json={"name": "made for tests"}, headers=headers)
        assert made.status_code == 201, made.text
        return str(made.json()["key"])


@contextlib.contextmanager
def signed_in(server: Server, name: str, role: str = "viewer") -> Iterator[httpx2.Client]:
    """Make an account and return a browser in which it is signed in."""
    server.ask("/__api__/v1/users", "POST", {"username": name, "user_role": role, "password": PASSWORD})
    with httpx2.Client(base_url=server.url, timeout=120) as browser:
        _sign_in(browser, name, PASSWORD)
        yield browser


def _sign_in(browser: httpx2.Client, name: str, password: str) -> None:
    form = browser.get("/__login__").text
    found = re.search(r'name="xsrf" value="([^"]+)"', form)
    assert found, form
    signed = browser.post("/__login__", data={"xsrf": found[1], "username": name, "password": password})
    assert signed.status_code in (302, 303), signed.text
