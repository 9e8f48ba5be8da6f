"""When to try again after a process failed. Pure: time is passed in.

The first few failures delay only what nobody waits for; after that a visitor is told at once, until the pause is over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

PATIENCE = 3  # quick failures before the pool counts as failing
LONGEST_PAUSE = dt.timedelta(seconds=60)
STEADY = dt.timedelta(seconds=30)  # a process that served this long did not fail because of how it starts


@dataclass(frozen=True, slots=True)
class Failures:
    """Quick failures in a row, and when the next start may be tried."""

    count: int = 0
    retry_at: dt.datetime | None = None

    def another(self, now: dt.datetime) -> Failures:
        """Return the state after one more quick failure: the pause is 1 s, 2 s, 4 s … at most a minute."""
        pause = min(LONGEST_PAUSE, dt.timedelta(seconds=2 ** min(self.count, 10)))
        return Failures(self.count + 1, now + pause)

    def pausing(self, now: dt.datetime) -> bool:
        """Say whether nothing should be started yet without somebody asking for it."""
        return self.retry_at is not None and now < self.retry_at

    def failing(self, now: dt.datetime) -> bool:
        """Say whether even somebody who asks is refused."""
        return self.count >= PATIENCE and self.pausing(now)
