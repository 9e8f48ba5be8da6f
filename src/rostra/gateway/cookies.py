"""Cookies that are Rostra's own: read from requests, kept from content, never set by content. Bytes in, bytes out."""

from __future__ import annotations

import re

STICKY = b"rostra-process"
SESSION = (b"rsconnect", b"rsconnect-legacy")

_OWN_NAME = re.compile(rb"(?i:rsconnect|rsconnect-legacy|rsc-xsrf|rostra-.*)", re.DOTALL)
_MAYBE_OWN = re.compile(rb"(?i:rsc|rostra-)")  # no own name lacks it, so a cheap look saves the split


def is_own(name: bytes) -> bool:
    return _OWN_NAME.fullmatch(name) is not None


def without_own(value: bytes) -> bytes:
    """Return a Cookie header's value without Rostra's own; everything else keeps its bytes. May be empty.

    >>> without_own(b'a=1; rsconnect=secret; b="2"')
    b'a=1; b="2"'
    """
    if not _MAYBE_OWN.search(value):
        return value
    kept = [part for part in value.split(b";") if not is_own(part.partition(b"=")[0].strip())]
    return b";".join(kept).strip()


def values(value: bytes, name: bytes) -> list[bytes]:
    """Return what a Cookie header's value says for ``name``, in order; names are compared exactly."""
    found = []
    if name in value:
        for part in value.split(b";"):
            key, equals, content = part.partition(b"=")
            if equals and key.strip() == name:
                found.append(content.strip().strip(b'"'))
    return found


def may_be_set_by_content(value: bytes) -> bool:
    """Whether content may send this Set-Cookie. A nameless one may not: ``=rsconnect=x`` comes back as a named one."""
    name, equals, _ = value.partition(b";")[0].partition(b"=")
    name = name.strip(b" \t")
    return bool(equals) and bool(name) and not is_own(name)
