"""A clock that tests move."""

from __future__ import annotations

import datetime as dt

NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


class MovedClock:
    def __init__(self, start: dt.datetime = NOON) -> None:
        self.moment = start

    def now(self) -> dt.datetime:
        return self.moment

    def move(self, **by: float) -> dt.datetime:
        """Go forward by ``timedelta(**by)``; return where that is."""
        self.moment += dt.timedelta(**by)
        return self.moment


def soon(seconds: int = 3) -> str:
    """Return a whole second at least so far ahead: a start that has passed when it arrives is tomorrow's."""
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds + 1)
    return f"{ahead:%Y-%m-%dT%H:%M:%SZ}"
