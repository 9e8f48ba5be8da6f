"""What a process and everything it started takes of the machine, read from /proc. Nothing is kept between two looks."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from rostra.ids import ProcessKey

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_MOST = 4096  # processes of one tree that are looked at


@dataclass(frozen=True, slots=True)
class Weight:
    """``cpu_seconds`` since the start, those of ended children included as far as they were waited for.

    ``memory_bytes`` is what would be free without it, nearly: memory of its own, and the files one of its processes
    has mapped most of (forked workers share those). Of one that has ended it is the most it held at any time.
    """

    cpu_seconds: float
    memory_bytes: int
    processes: int


@runtime_checkable
class Scales(Protocol):
    """A launcher that can say what its processes take. One that cannot has no figures, and nothing else is missing."""

    async def weigh(self) -> Mapping[ProcessKey, Weight]:
        """Return the weight of each process that runs; one that ends meanwhile is left out."""


def weigh(pid: int, proc: Path = PROC) -> Weight | None:
    """Return what the tree below ``pid`` takes; None when it is gone."""
    found = [one for one in (_one(each, proc) for each in _tree(pid, proc)) if one is not None]
    if not found:
        return None
    cpu, own, mapped = zip(*found, strict=True)
    return Weight(sum(cpu), sum(own) + max(mapped), len(found))


def weigh_at_end(pid: int, proc: Path = PROC) -> Weight | None:
    """As `weigh`, with the most memory each of the tree held at any time; what had ended before is not in it."""
    found = [(one, _most(each, proc)) for each in _tree(pid, proc) if (one := _one(each, proc)) is not None]
    return Weight(sum(one[0] for one, _ in found), sum(most for _, most in found), len(found)) if found else None


def of_ended(usage: resource.struct_rusage) -> Weight:
    """Return what a tree took that has been waited for: its seconds, and the memory of its largest process.

    A program counts as having held what its parent held when it was started, so only what is more than that is its own.
    """
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = usage.ru_maxrss * 1024 if usage.ru_maxrss > ours else 0
    return Weight(usage.ru_utime + usage.ru_stime, memory, 1)


def of_this(proc: Path = PROC) -> Weight:
    """Return what this process took until now, with the most memory it held."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Weight(usage.ru_utime + usage.ru_stime, _most(os.getpid(), proc), 1)


def larger(one: Weight | None, other: Weight | None) -> Weight | None:
    """Return the most that either says of the same tree."""
    if one is None or other is None:
        return one or other
    return Weight(
        max(one.cpu_seconds, other.cpu_seconds),
        max(one.memory_bytes, other.memory_bytes),
        max(one.processes, other.processes),
    )


def _most(pid: int, proc: Path) -> int:
    with contextlib.suppress(OSError):
        for line in (proc / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return _bytes(line.partition(":")[2].split())
    return 0


def _tree(pid: int, proc: Path) -> list[int]:
    found = [pid]
    for one in found:
        for task in sorted((proc / str(one) / "task").glob("*")):
            with contextlib.suppress(OSError, ValueError):
                found += [int(child) for child in (task / "children").read_text().split()]
        if len(found) > _MOST:
            break
    return found


def _one(pid: int, proc: Path) -> tuple[float, int, int] | None:
    """Return seconds, bytes of its own and bytes of mapped files of one process."""
    try:
        stat = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        lines = (proc / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    sizes = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    own, shared, mapped = (_bytes(sizes.get(name)) for name in ("RssAnon", "RssShmem", "RssFile"))
    return sum(map(int, stat[11:15])) / _TICKS, own + shared, mapped


def _bytes(said: list[str] | None) -> int:
    return int(said[0]) * 1024 if said and said[0].isdecimal() else 0  # a process that ends has none of these lines
