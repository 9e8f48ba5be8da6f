"""Talks to a running server with an API key, in the words of its API."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from rostra.errors import NotSignedIn, Problem, Unavailable

_SECONDS = 60.0


class Refused(Problem):
    """The server said no; the message is its own."""

    code = "server-refused"


class ServerAway(Unavailable):
    """Nothing that is a server answers there."""

    code = "server-away"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} does not answer: {why}", hint="Is the address right, and is the server running?")


class KeyMissing(NotSignedIn):
    code = "key-missing"

    def __init__(self) -> None:
        super().__init__("a server needs an API key", hint="Give --api-key, or set CONNECT_API_KEY.")


class Remote:
    """One server. ``url`` may carry a path prefix."""

    def __init__(self, url: str, key: str) -> None:
        if not key:
            raise KeyMissing
        self.url, self._key = url.rstrip("/").removesuffix("/__api__"), key

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that ``/__api__/{path}`` answers.

        Raises:
            Refused, ServerAway
        """
        return json.loads(self.raw(method, path, body) or b"null")

    def raw(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """As `ask`, without reading the answer as JSON."""
        request = urllib.request.Request(  # noqa: S310 - the address is what the caller typed
            f"{self.url}/__api__/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Key {self._key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                raise Refused(_said(refused.read(), refused.code)) from None
        except (OSError, ValueError) as why:
            raise ServerAway(self.url, str(getattr(why, "reason", why))) from None


def _said(data: bytes, status: int) -> str:
    try:
        return str(json.loads(data)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {status}"


def server_of(given: str) -> str:
    """Return the server that was named: the option, else ``CONNECT_SERVER``, else nothing."""
    return given or os.environ.get("CONNECT_SERVER", "")


def key_of(given: str) -> str:
    return given or os.environ.get("CONNECT_API_KEY", "")
