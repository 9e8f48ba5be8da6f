"""What the data folder takes on the disk, counted now and then: looking at every file is work that grows with a server.

An answer is at most five minutes old, nobody counts while somebody else does, and counting ends after so many files.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from rostra.environments.cleanup import Standing
from rostra.environments.inventory import Weight, weigh
from rostra.trees import walk

FRESH = dt.timedelta(minutes=5)
MOST_FILES = 3_000_000
OF_ITEMS = ("apps", "renderings", "jobs")  # folders with one folder for each item, named after its guid


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Bytes on the disk. ``items`` is by folder of `OF_ITEMS`, then guid.

    A file that is linked in several places of one folder counts once there. ``complete``: nothing was left out.
    """

    at: dt.datetime
    folders: Mapping[str, int]
    items: Mapping[str, Mapping[str, int]]
    complete: bool = True


@dataclass(slots=True)
class DiskUse:
    """One for each data folder."""

    most_files: int = MOST_FILES
    _measured: Measured | None = None
    _weights: dict[Path, tuple[dt.datetime, Weight]] = field(default_factory=dict)
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def measured(self, folder: Path, now: dt.datetime) -> Measured:
        """Return what ``folder`` takes, as it was at most `FRESH` ago."""
        async with self._turn:
            if self._measured is None or now - self._measured.at >= FRESH:
                self._measured = await anyio.to_thread.run_sync(measure, folder, now, self.most_files)
            return self._measured

    async def weighed(self, rows: Sequence[Standing], now: dt.datetime) -> list[Standing]:
        """Return environments with what each weighs, as it was at most `FRESH` ago."""
        async with self._turn:
            fresh = {path: kept for path, kept in self._weights.items() if now - kept[0] < FRESH}
            for path in {row.found.path for row in rows} - fresh.keys():
                fresh[path] = now, await anyio.to_thread.run_sync(weigh, path)
            self._weights = fresh
        return [replace(row, weight=fresh[row.found.path][1]) for row in rows]


def measure(folder: Path, now: dt.datetime, most_files: int = MOST_FILES) -> Measured:
    """Return what every folder of the data folder takes. Looks at every file: call it in a thread."""
    counting = _Counting(most_files)
    folders: dict[str, int] = {}
    items: dict[str, dict[str, int]] = {name: {} for name in OF_ITEMS}
    for part in sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()):
        seen: set[tuple[int, int]] = set()
        if part.name in items:
            own = {each.name: counting.size(each, seen) for each in _inside(part)}
            items[part.name] = own
            folders[part.name] = sum(own.values())
        else:
            folders[part.name] = counting.size(part, seen)
    return Measured(at=now, folders=folders, items=items, complete=counting.left > 0)


def _inside(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [each for each in folder.iterdir() if not each.is_symlink()]
    return []


@dataclass(slots=True)
class _Counting:
    left: int

    def size(self, path: Path, seen: set[tuple[int, int]]) -> int:
        """Return what a folder takes; what goes while it is counted is left out."""
        total = 0
        for _, _, files in walk(path):
            total += sum(_blocks(file, seen) for file in files)
            self.left -= len(files)
            if self.left <= 0:
                break
        return total


def _blocks(file: os.DirEntry[str], seen: set[tuple[int, int]]) -> int:
    try:
        found = file.stat(follow_symlinks=False)
    except OSError:
        return 0
    if found.st_nlink > 1:
        if (found.st_dev, found.st_ino) in seen:
            return 0
        seen.add((found.st_dev, found.st_ino))
    return found.st_blocks * 512
