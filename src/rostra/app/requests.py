"""What control reads of a request that the gateway passed on."""

from __future__ import annotations

from starlette.requests import Request

from rostra.auth.credentials import Credential, read


def credential(request: Request) -> Credential:
    return read(request.headers, request.cookies)


def client_address(request: Request) -> str:
    """Return who connected, as the gateway says; nobody else can reach control's socket."""
    return request.headers.get("x-rostra-client-address", "")


def raw_path(request: Request) -> str:
    """Return the path as it was sent, byte for byte, without the query."""
    raw: bytes = request.scope["raw_path"]
    return raw.partition(b"?")[0].decode("latin-1")


def navigates(request: Request) -> bool:
    """Return whether a person opens a page, by the gateway's rule, rather than a page loading something."""
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")
