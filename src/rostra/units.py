"""Durations and sizes as people write them in the configuration file."""

from __future__ import annotations

import datetime as dt
import re

_DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>ns|us|µs|ms|s|m|h|d)")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)")
_SIZE_UNITS = {"": 1, "b": 1} | {
    name: factor**power
    for power, letter in enumerate("kmgt", start=1)
    for name, factor in ((letter, 1000), (letter + "b", 1000), (letter + "ib", 1024))
}


def duration(text: str) -> dt.timedelta:
    """Read ``90s``, ``5m``, ``1m15s``, ``30d``. A bare number is nanoseconds, as in the dialect's own reader.

    Raises:
        ValueError: with a sentence that says what is expected.
    """
    compact = text.strip().replace(" ", "")
    if compact.isdigit():
        return dt.timedelta(microseconds=int(compact) / 1000)
    seconds, position = 0.0, 0
    for part in _DURATION_PART.finditer(compact):
        if part.start() != position:
            break
        seconds += float(part["number"]) * _DURATION_UNITS[part["unit"]]
        position = part.end()
    if not compact or position != len(compact):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 5m or 1h30m")
    return dt.timedelta(seconds=seconds)


def size(text: str) -> int:
    """Read ``5 MB``, ``5 KiB``, ``100``; returns bytes.

    Raises:
        ValueError: with a sentence that says what is expected.
    """
    whole = _SIZE.fullmatch(text.strip())
    if whole is None or whole["unit"].lower() not in _SIZE_UNITS:
        raise ValueError(f"{text!r} is not a size; write for example 500 MB or 2 GiB")
    return int(float(whole["number"]) * _SIZE_UNITS[whole["unit"].lower()])


def human_duration(value: dt.timedelta) -> str:
    """Return ``1h30m``, ``45s``, ``250ms``: the shortest text that ``duration`` reads back."""
    total_ms = round(value.total_seconds() * 1000)
    if total_ms == 0:
        return "0s"
    parts: list[str] = []
    for unit, factor in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, total_ms = divmod(total_ms, factor)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def human_size(count: int) -> str:
    """Return ``1.5 MB``; decimal units, one digit when it says something."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def counted(count: int, noun: str) -> str:
    """Return ``1 item``, ``2 items``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
