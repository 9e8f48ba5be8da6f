"""Refusing a change that was made for another state of things than the present one.

Whoever reads gets the state's mark as ``ETag`` and may send it back as ``If-Match``; who sends none overwrites.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response

from rostra.errors import Problem


def mark(parts: Iterable[object]) -> str:
    """Return the mark of a state that is made of these parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def tell(response: Response, state: str) -> None:
    response.headers["etag"] = f'"{state}"'


def require(request: Request, state: str, refusal: Callable[[], Problem]) -> None:
    """Raise ``refusal`` when the request names another state; ``*`` is any."""
    asked = request.headers.get("if-match", "").strip()
    if asked and asked != "*" and f'"{state}"' not in [one.strip().removeprefix("W/") for one in asked.split(",")]:
        raise refusal()
