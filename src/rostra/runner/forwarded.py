"""What the gateway says about the visitor's own request, in headers that only it can write. Pure."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional


class Forwarded(NamedTuple):
    """Each is None when the gateway did not say. ``client`` is an address without a port."""

    scheme: Optional[str]
    host: Optional[str]
    client: Optional[str]


def read(header: Callable[[str], Optional[str]]) -> Forwarded:
    """Return what the headers say; ``header`` looks one up by its lower-case name.

    The visitor's address is ``X-Real-IP``; without it the last of ``X-Forwarded-For``, which is what the gateway itself
    saw. Those before it are hearsay.
    """
    scheme = _last(header("x-forwarded-proto"))
    return Forwarded(
        scheme=scheme if scheme in ("http", "https") else None,
        host=_last(header("x-forwarded-host")),
        client=_last(header("x-real-ip")) or _last(header("x-forwarded-for")),
    )


def _last(value: Optional[str]) -> Optional[str]:
    return (value or "").rpartition(",")[2].strip() or None
