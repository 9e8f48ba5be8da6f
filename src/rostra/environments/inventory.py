"""What is on disk: every environment and overlay, and how much of it each has to itself. Reads, changes nothing.

Works without a server and without a database.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rostra.environments import record


class Sort(StrEnum):
    environment = "environment"  # the packages of content
    overlay = "overlay"  # the server's own, beside them


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One ready environment on disk. ``identity`` names the very interpreter it was made with (`model.Runtime`)."""

    sort: Sort
    key: str
    path: Path
    python: str
    executable: Path
    identity: str
    installer: str
    packages: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes. ``own`` would be free after a removal; ``shared`` is linked from a cache or another environment, too."""

    own: int
    shared: int


def scan(data_dir: Path) -> list[Found]:
    """Return everything that is ready, environments first, by version folder and key."""
    places = ((Sort.environment, data_dir / "environments" / "python"), (Sort.overlay, data_dir / "overlays"))
    return [found for sort, place in places for path in _folders(place) if (found := _read(sort, path))]


def weigh(path: Path) -> Weight:
    """Return how heavy a folder is. Files linked several times inside it count once; links are not followed."""
    own = shared = 0
    inside: dict[tuple[int, int], int] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}  # size in bytes, links there are
    for entry in _files(path):
        if entry.st_nlink == 1:
            own += entry.st_size
            continue
        inode = (entry.st_dev, entry.st_ino)
        inside[inode] = inside.get(inode, 0) + 1
        sizes[inode] = (entry.st_size, entry.st_nlink)
    for inode, seen in inside.items():
        size, links = sizes[inode]
        if seen == links:
            own += size
        else:
            shared += size
    return Weight(own, shared)


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*/*") if not path.name.startswith("."))


def _read(sort: Sort, path: Path) -> Found | None:
    ready = record.read(path)
    if ready is None:
        return None
    environment = ready.environment
    return Found(
        sort=sort,
        key=environment.key,
        path=path,
        python=str(environment.runtime.version),
        executable=environment.runtime.executable,
        identity=environment.runtime.identity,
        installer=environment.installer,
        packages=len(environment.packages),
        created_at=ready.created_at,
    )


def _files(root: Path) -> Iterator[os.stat_result]:
    waiting = [str(root)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield found
        except OSError:
            continue
