"""Templates and the files they refer to. Everything is escaped, and a name that is not given is an error."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from rostra.units import human_size

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
ASSETS = "/__assets__"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of ours. ``address`` carries a hash of its content, so that it may be kept for ever."""

    address: str
    content: bytes
    content_type: str


@functools.cache
def assets() -> Mapping[str, Asset]:
    """Return our files by their plain name (``rostra.css``)."""
    return {path.name: _asset(path) for path in sorted((_HERE / "static").iterdir())}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{ASSETS}/{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])


def render(template: str, **values: object) -> str:
    """Return the page. Raises `jinja2.UndefinedError` when a value it uses is missing."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    times = {
        "ago": ago,
        "stamp": stamp,
        "iso": dt.datetime.isoformat,
        "moment": dt.datetime.fromisoformat,
        "took": took,
    }
    environment.filters |= {"size": human_size, **times}
    environment.globals["asset"] = lambda name: assets()[name].address
    return environment


def stamp(moment: dt.datetime) -> str:
    """Return the whole moment for people: ``21 Nov 2026, 01:15 UTC``."""
    return moment.astimezone(dt.UTC).strftime("%-d %b %Y, %H:%M UTC")


def took(seconds: float) -> str:
    """Return a length of time for people: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{n}\N{NO-BREAK SPACE}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if n
    ]
    return " ".join(parts[:2])


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """Return ``just now``, ``5 minutes ago``, ``3 days ago``, or the date when that is more than a month."""
    seconds = (now - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds >= 30 * 86_400:
        return moment.astimezone(dt.UTC).strftime("%-d %b %Y")
    unit, length = next((u, n) for u, n in (("day", 86_400), ("hour", 3600), ("minute", 60)) if seconds >= n or n == 60)
    count = max(1, round(seconds / length))
    return f"{count} {unit}{'s' * (count > 1)} ago"
