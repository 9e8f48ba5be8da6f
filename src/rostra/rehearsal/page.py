"""One request to content on its unix socket, as a visitor's browser sends it. Blocks: call it in a thread."""

from __future__ import annotations

import http.client
import socket as sockets_of_the_system
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from rostra.execution import sockets

HOST = "rehearsal"
MOST_BYTES = 20_000_000
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Page:
    """``path`` is where redirects led to."""

    status: int
    body: bytes = b""
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class _OnSocket(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(HOST, timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock: sockets_of_the_system.socket = sockets.connect(self._path)
        self.sock.setblocking(True)
        self.sock.settimeout(self.timeout)


def get(socket: Path, path: str, seconds: float, *, body: bytes | None = None) -> Page:
    """Return the answer to a GET (or a POST of JSON), read to its end: what breaks off half-way is no answer.

    Raises:
        OSError, ValueError: nothing that is HTTP came back, or it broke off.
    """
    connection = _OnSocket(socket, seconds)
    headers = {"Accept": "text/html,*/*", "Connection": "close"} | (
        {"Content-Type": "application/json"} if body else {}
    )
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        data = answer.read(MOST_BYTES)
        while answer.read(65_536):
            pass
        return Page(answer.status, data, path, {name.lower(): value for name, value in answer.getheaders()})
    except http.client.HTTPException as why:
        raise ValueError(repr(why) if not str(why) else str(why)) from why
    finally:
        connection.close()


def first(socket: Path, path: str, seconds: float, *, prefix: str = "") -> Page:
    """Return the first page, following the redirects a browser would follow within the content.

    ``prefix`` is what the gateway would take off a path, without a closing slash.
    """
    found = get(socket, path, seconds)
    for _ in range(_REDIRECTS):
        target = found.headers.get("location", "")
        parts = urlsplit(urljoin(f"http://{HOST}{found.path}", target))
        if not 300 <= found.status < 400 or not target or parts.netloc != HOST:
            break
        wanted = parts.path.removeprefix(prefix) if parts.path.startswith(f"{prefix}/") else parts.path
        found = get(socket, wanted + (f"?{parts.query}" if parts.query else ""), seconds)
    return found
