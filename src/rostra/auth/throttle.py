"""Makes guessing passwords slow: after a few failures each further try has to wait longer.

Counted for the account from one address, and more generously for the address and for the account alone, so that nobody
can lock somebody else out from elsewhere for long. Kept in memory: a restart forgets it.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass

from rostra.clock import Clock
from rostra.errors import Unavailable

FREE_TRIES = 5
FREE_TRIES_ALONE = 50
LONGEST_WAIT = dt.timedelta(minutes=5)
FORGOTTEN_AFTER = dt.timedelta(minutes=30)
_MOST_KEPT = 20_000


class TooManyTries(Unavailable):
    code = "too-many-tries"

    def __init__(self, wait: dt.timedelta) -> None:
        self.wait_seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            "too many sign-ins have failed", hint=f"Wait {self.wait_seconds} seconds before you try again."
        )


@dataclass(slots=True)
class _Failures:
    count: int
    last: dt.datetime


class Throttle:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def begin(self, username: str, address: str) -> None:
        """Count a try as failed until `succeeded` says otherwise, so that many at once count as many.

        Raises:
            TooManyTries: this one has to wait; it is not counted.
        """
        keys = _keys(username, address)
        longest = max(self._wait(key, free) for key, free in keys)
        if longest > dt.timedelta():
            raise TooManyTries(longest)
        now = self._clock.now()
        for key, _ in keys:
            known = self._failures.pop(key, None)
            fresh = known is None or now - known.last > FORGOTTEN_AFTER
            self._failures[key] = _Failures(1 if fresh or known is None else known.count + 1, now)
        while len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        """Forget this person's failures from this address, and this one try everywhere else."""
        own, *others = (key for key, _ in _keys(username, address))
        self._failures.pop(own, None)
        for key in others:
            known = self._failures.get(key)
            if known is not None:
                known.count -= 1

    def _wait(self, key: tuple[str, str], free: int) -> dt.timedelta:
        known = self._failures.get(key)
        if known is None:
            return dt.timedelta()
        return known.last + pause(known.count, free) - self._clock.now()


def pause(failures: int, free: int) -> dt.timedelta:
    """Return how long after the last of so many failures the next try has to wait: 1 s, 2 s, 4 s, … 5 min."""
    if failures < free:
        return dt.timedelta()
    return min(LONGEST_WAIT, dt.timedelta(seconds=2 ** min(failures - free, 20)))


def _keys(username: str, address: str) -> list[tuple[tuple[str, str], int]]:
    name = username.strip().lower()[:200]
    if not address:  # nothing tells visitors apart: all of them together must not be made to wait
        return [((name, ""), FREE_TRIES)]
    return [((name, address), FREE_TRIES), (("", address), FREE_TRIES_ALONE), ((name, ""), FREE_TRIES_ALONE)]
