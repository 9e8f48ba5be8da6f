"""When the Python project stops mending each release series. Needs no network.

The table is shipped. A copy that was fetched later (`eol_refresh`) adds to it; without one the shipped dates count.

Source: the release schedules of the Python project: PEP 373 (2.7), 478 (3.5), 494 (3.6), 537 (3.7), 569 (3.8), 596
(3.9), 619 (3.10), 664 (3.11), 693 (3.12), 719 (3.13), 745 (3.14), 790 (3.15), and the table in the Python Developer's
Guide, "Status of Python versions". Where a schedule names only a month, the last day of that month is taken.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

Series = tuple[int, int]

SHIPPED: Mapping[Series, dt.date] = {
    (2, 7): dt.date(2020, 1, 1),
    (3, 5): dt.date(2020, 9, 30),
    (3, 6): dt.date(2021, 12, 23),
    (3, 7): dt.date(2023, 6, 27),
    (3, 8): dt.date(2024, 10, 7),
    (3, 9): dt.date(2025, 10, 31),
    (3, 10): dt.date(2026, 10, 31),
    (3, 11): dt.date(2027, 10, 31),
    (3, 12): dt.date(2028, 10, 31),
    (3, 13): dt.date(2029, 10, 31),
    (3, 14): dt.date(2030, 10, 31),
    (3, 15): dt.date(2031, 10, 31),
}
LARGEST_FILE = 1_000_000
FILE = "python-end-of-life.json"  # what was fetched, in the data folder's cache


def end_of_life(version: Version | str, table: Mapping[Series, dt.date] = SHIPPED) -> dt.date | None:
    """Return the last day on which the series of ``version`` is mended; None when that is not known."""
    found = Version(str(version))
    return table.get((found.major, found.minor))


def over(version: Version | str, today: dt.date, table: Mapping[Series, dt.date] = SHIPPED) -> bool:
    """Return whether the series of ``version`` is not mended any more."""
    ends = end_of_life(version, table)
    return ends is not None and today > ends


def table_with(kept: Path | None) -> Mapping[Series, dt.date]:
    """Return the shipped dates, with those of the fetched copy at ``kept`` when there is a readable one."""
    try:
        text = kept.read_bytes()[:LARGEST_FILE] if kept else b"[]"
        return {**SHIPPED, **read(text)}
    except (OSError, ValueError):
        return SHIPPED


def read(text: bytes) -> dict[Series, dt.date]:
    """Read ``{"result": {"releases": [{"name": "3.9", "eolFrom": "2025-10-31"}]}}`` or ``[{"cycle", "eol"}]``.

    These are the two forms public lists of release cycles have. Rows that make no sense are left out.

    Raises:
        ValueError: it is neither.
    """
    told = json.loads(text)
    if isinstance(told, dict):
        told = told.get("result", {}).get("releases") if isinstance(told.get("result"), dict) else None
    if not isinstance(told, list):
        raise ValueError("this is no list of release cycles")
    return {series: day for row in told if isinstance(row, dict) for series, day in _row(row)}


def _row(row: Mapping[str, object]) -> list[tuple[Series, dt.date]]:
    name, day = row.get("name", row.get("cycle")), row.get("eolFrom", row.get("eol"))
    try:
        major, minor = str(name).split(".")
        return [((int(major), int(minor)), dt.date.fromisoformat(str(day)))]
    except ValueError:
        return []
