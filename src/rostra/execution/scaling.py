"""How many processes a piece of content should have. Pure arithmetic, so it can be tabled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rostra.ids import ProcessKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one pool.

    ``max_conns_per_process`` is what one process may hold at a time. ``load_factor`` lies between 0 (another process is
    started early) and 1 (only when all are full).
    """

    min_processes: int = 0
    max_processes: int = 3
    max_conns_per_process: int = 20
    load_factor: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.min_processes <= self.max_processes or self.max_processes < 1:
            raise ValueError("min_processes must lie between 0 and max_processes, and max_processes be at least 1")
        if self.max_conns_per_process < 1:
            raise ValueError("max_conns_per_process must be at least 1")
        if not 0.0 <= self.load_factor <= 1.0:
            raise ValueError("load_factor must lie between 0 and 1")

    @property
    def comfort(self) -> int:
        """Connections per process above which one more is wanted; between 0 and ``max_conns_per_process``."""
        return int(self.max_conns_per_process * self.load_factor)


def wanted(connections: int, running: int, limits: Limits) -> int:
    """Return the process count to move towards: one more at most, and never fewer than are running.

    ``running`` counts those that start, too: a process on its way is room on its way.

    >>> wanted(connections=1, running=0, limits=Limits())
    1
    >>> wanted(connections=11, running=1, limits=Limits())
    2
    """
    floor = max(limits.min_processes, 1 if connections else 0)
    crowded = connections > running * limits.comfort
    target = running + 1 if crowded else running
    return max(running, min(max(target, floor), limits.max_processes, running + 1))


def surplus(
    idle_seconds: Mapping[ProcessKey, float], running: int, idle_timeout: float, limits: Limits
) -> list[ProcessKey]:
    """Return which idle processes to end, the longest idle first, so that ``min_processes`` stay.

    Args:
        idle_seconds: for each process without connections, how long it has had none.
        running: all ready processes, busy ones included.
        idle_timeout: seconds; a process idle for this long or longer may go.
    """
    may_go = max(0, running - limits.min_processes)
    overdue = [key for key, idle in idle_seconds.items() if idle >= idle_timeout]
    return sorted(overdue, key=lambda key: -idle_seconds[key])[:may_go]
