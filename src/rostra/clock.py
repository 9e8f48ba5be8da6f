"""Time is passed in, so that tests can move it."""

from __future__ import annotations

import datetime as dt
from typing import Protocol


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Return the present moment, aware, in UTC."""


class SystemClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def wire_time(moment: dt.datetime) -> str:
    """Return RFC 3339 in UTC with a ``Z``, whole seconds, as clients parse it."""
    return moment.astimezone(dt.UTC).isoformat()[:19] + "Z"
