"""Runtimes that are only said to be installed."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from rostra.runtimes.model import Runtime, RuntimeState

_STATES = {"d": RuntimeState.deprecated, "r": RuntimeState.retired}


def offer(text: str) -> list[Runtime]:
    """Read ``3.9.4 3.9.6:d 3.8.1:r``: versions, ``:d`` deprecated, ``:r`` retired."""
    return [_one(word) for word in text.split()]


def _one(word: str) -> Runtime:
    version, _, mark = word.partition(":")
    path = Path(f"/opt/python/{version}/bin/python3")
    state = _STATES.get(mark, RuntimeState.active)
    return Runtime(version=Version(version), executable=path, target=path, state=state)
