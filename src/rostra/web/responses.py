"""From a page to a response: the headers every page carries, and the JSON twin for whoever is not a browser."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from rostra.web.site import Site
from rostra.web.templating import render


def wants_html(accept: str | None) -> bool:
    """Return whether the header names HTML: browsers do, programs (``*/*`` or nothing) do not."""
    for part in (accept or "").lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind in {"text/html", "application/xhtml+xml"}:
            return not any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
    return False


def page(
    site: Site,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    framable: bool = False,
    **values: Any,
) -> Response:
    """Return a whole page. ``framable`` pages stand in for content, which other sites may show inside theirs."""
    nonce = secrets.token_urlsafe(16)
    html = render(template, site=site, nonce=nonce, **values)
    return HTMLResponse(html, status, {**security_headers(nonce, framable=framable), **(headers or {})})


def security_headers(nonce: str, *, framable: bool) -> dict[str, str]:
    """Return what keeps a page from running or loading anything but the files that carry ``nonce``."""
    policy = (
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        *(() if framable else ("frame-ancestors 'none'",)),
    )
    framing = {} if framable else {"X-Frame-Options": "DENY"}
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        **framing,
    }


def json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    fixed = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return JSONResponse(dict(body), status, {**fixed, **(headers or {})})


def redirect(address: str) -> Response:
    """Send the visitor to ``address`` with GET; never remembered."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def accept_of(request: Request) -> str | None:
    return request.headers.get("accept")
