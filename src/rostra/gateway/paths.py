"""Which prefix of a raw path a decision is asked for. Pure, and literal: nothing is decoded or normalised.

A path that only means content after decoding or removing dots is not content here; control gets it, and refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

# Dots, percent signs and empty segments are not in these classes: /content/../x and /content/%2e%2e/x do not match.
_CONTENT = re.compile(rb"/content/[A-Za-z0-9-]{1,64}(?:/(?:_bundle[0-9]{1,18}(?:/|$))?|$)")
_RESERVED = (b"/__", b"/content/")
_THUMBNAIL = b"__thumbnail__"  # below an item's path, and yet answered by control


@dataclass(frozen=True, slots=True)
class Vanities:
    """Vanity paths as they stand in raw requests, each with its slashes: ``/sales/``."""

    paths: frozenset[bytes] = frozenset()
    depth: int = 0  # slashes in the deepest one


def vanities(texts: Iterable[str]) -> Vanities:
    """Return the table for ``texts``; letters outside ASCII match percent-encoded. ``/`` alone is ignored."""
    paths: set[bytes] = set()
    for text in texts:
        path = f"/{text.strip('/')}/"
        if path != "//" and not path.encode().startswith(_RESERVED):
            paths.add(as_browsers_write(path))
    return Vanities(frozenset(paths), max((path.count(b"/") for path in paths), default=0))


def as_browsers_write(path: str) -> bytes:
    """Return ``path`` with every letter that may not stand in a request percent-encoded; what is encoded stays."""
    return quote(path, safe="/!$&'()*+,;=:@-._~%").encode("ascii")


def prefix_of(path: bytes, known: Vanities) -> bytes | None:
    """Return the part of ``path`` (raw, without query) that is decided about, or None: control's.

    With its slash when ``path`` has one; a path that lacks it is decided about as it stands (and redirected). An item's
    thumbnail is control's.

    >>> prefix_of(b"/content/0a-1/static/app.js", Vanities())
    b'/content/0a-1/'
    >>> prefix_of(b"/content/../__api__/", Vanities()) is None
    True
    """
    found = _CONTENT.match(path)
    if found is not None:
        prefix: bytes | None = found[0]
    elif not known.paths or path.startswith(_RESERVED):
        return None
    else:
        prefix = _vanity_of(path, known)
    return None if prefix is not None and path == prefix + _THUMBNAIL else prefix


def _vanity_of(path: bytes, known: Vanities) -> bytes | None:
    best: bytes | None = None
    at = 0
    for _ in range(known.depth - 1):
        at = path.find(b"/", at + 1)
        if at < 0:
            return path if path + b"/" in known.paths else best
        if path[: at + 1] in known.paths:
            best = path[: at + 1]
    return best


def strip_prefix(target: bytes, prefix: bytes) -> tuple[bytes, bool]:
    """Return ``target`` without the server's own path prefix, and whether it was there.

    >>> strip_prefix(b"/rsc/content/x/", b"/rsc")
    (b'/content/x/', True)
    >>> strip_prefix(b"/rscue/", b"/rsc")
    (b'/rscue/', False)
    """
    if not prefix or not target.startswith(prefix):
        return target, False
    rest = target[len(prefix) :]
    if rest[:1] == b"/":
        return rest, True
    return (b"/" + rest, True) if rest[:1] in (b"", b"?") else (target, False)
