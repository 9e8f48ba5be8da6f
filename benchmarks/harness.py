"""Measure ours and theirs in turns, and say what came out as a table and as JSON.

A benchmark is a module ``bench_<name>.py`` with ``NAME`` and ``run(quick)``, which returns one `row` for each finding.
Ratios are of medians from the same run; absolute times are only there to give a size.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Row = dict[str, Any]
_COLUMNS = ("goal", "what", "ours", "peer", "unit", "ratio", "target", "met")


def rounds(quick: bool) -> int:
    """Return how often to repeat; odd, so that the median is something that was measured."""
    return 3 if quick else 7


def interleaved(subjects: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Run every subject once in each of ``repeats`` rounds; return the median seconds of each.

    Taking turns spreads what else the machine does over all of them; the first subject changes from round to round.
    """
    names = list(subjects)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(repeats):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            started = time.perf_counter()
            subjects[name]()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def processor_seconds(many: Callable[[], object], few: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median processor time of each; they take turns, and what else the machine does is not counted."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for times, work in zip(taken, (many, few), strict=True):
            started = time.process_time()
            work()
            times.append(time.process_time() - started)
    return statistics.median(taken[0]), statistics.median(taken[1])


def per_call(function: Callable[[], object], *, at_least_seconds: float = 0.02) -> float:
    """Return the seconds of one call of something too quick to time alone."""
    count = 1
    while True:
        started = time.perf_counter()
        for _ in range(count):
            function()
        seconds = time.perf_counter() - started
        if seconds >= at_least_seconds:
            return seconds / count
        count = max(count * 2, int(count * at_least_seconds / max(seconds, 1e-9)))


def row(
    goal: str,
    what: str,
    *,
    ours: float,
    peer: float | None,
    unit: str,
    target: str,
    met: bool | None,
) -> Row:
    """Return one finding. ``ratio`` is ours divided by the peer's; None when the peer is not here."""
    ratio = None if not peer else ours / peer
    return dict(zip(_COLUMNS, (goal, what, ours, peer, unit, ratio, target, met), strict=True))


def modules(names: Sequence[str] = ()) -> Iterator[ModuleType]:
    """Yield the benchmark modules called ``names`` (all without names), in alphabetical order.

    Raises:
        SystemExit: a name is not one of them.
    """
    found = {path.stem.removeprefix("bench_"): path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py"))}
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(found)}")
    for name in names or found:
        yield importlib.import_module(f"benchmarks.{found[name]}")


def table(rows: Sequence[Row]) -> str:
    """Return the findings as text with aligned columns."""
    cells = [_COLUMNS, *[tuple(_cell(each[column]) for column in _COLUMNS) for each in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)


def as_json(rows: Sequence[Row], *, quick: bool) -> str:
    """Return the findings and what they were measured on."""
    machine = {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()}
    return json.dumps({"quick": quick, "machine": machine, "rows": list(rows)}, indent=2)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
