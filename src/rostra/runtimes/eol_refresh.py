"""Fetch newer end-of-life dates, when the settings allow it. Failing is fine: the shipped dates are good for years."""

from __future__ import annotations

import contextlib
import os
import time
import urllib.request
from pathlib import Path

from rostra.ids import new_key
from rostra.runtimes import eol

TIMEOUT_SECONDS = 5.0
EVERY_SECONDS = 7 * 86_400.0


def refresh(address: str, kept: Path) -> str:
    """Fetch ``address`` into ``kept`` unless that was done this week; return why it failed, or nothing.

    Blocks for up to some seconds: call it in a thread, or from the command line. An empty ``address`` fetches nothing.
    """
    if not address or _fresh(kept):
        return ""
    try:
        text = _fetch(address)
        eol.read(text)
        _write(kept, text)
    except (OSError, ValueError) as why:
        return f"end-of-life dates could not be fetched from {address} ({why}); the ones at hand are used"
    return ""


def _fresh(kept: Path) -> bool:
    try:
        return time.time() - kept.stat().st_mtime < EVERY_SECONDS
    except OSError:
        return False


def _fetch(address: str) -> bytes:
    if not address.startswith(("https://", "http://")):
        raise ValueError("it is not a web address")
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  (checked just above)
        text: bytes = answer.read(eol.LARGEST_FILE + 1)
    if len(text) > eol.LARGEST_FILE:
        raise ValueError("it is too large")
    return text


def _write(kept: Path, text: bytes) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    scratch = kept.with_name(f".scratch-{new_key(12)}")
    try:
        scratch.write_bytes(text)
        os.replace(scratch, kept)  # noqa: PTH105
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
