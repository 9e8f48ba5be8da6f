"""Where a visitor may be sent after signing in: only to pages of this very server. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

_LONGEST = 2000


def safe_return(wanted: str | None, *, origin: str, fallback: str) -> str:
    """Return ``wanted`` as a path of this server, or ``fallback`` when it leads anywhere else.

    Args:
        wanted: a path, or an absolute address of this server; whatever a link's author put there.
        origin: ``https://host`` of this server as the browser knows it, without a closing slash.
        fallback: where to go instead; trusted.
    """
    if not wanted or len(wanted) > _LONGEST or _is_odd(wanted):
        return fallback
    if wanted.lower().startswith(origin.lower() + "/"):
        wanted = wanted[len(origin) :]
    if not wanted.startswith("/") or wanted.startswith("//"):
        return fallback
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return fallback
    return fallback if parts.scheme or parts.netloc else wanted


def _is_odd(text: str) -> bool:
    # Browsers drop control characters and read a backslash as a slash: "/\t/host" and "/\host" lead away.
    return "\\" in text or any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in text)
