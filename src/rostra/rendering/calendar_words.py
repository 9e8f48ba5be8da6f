"""A schedule in words for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from rostra.rendering.calendar import ELAPSED, Every, Schedule, zone_of


def _ordinal(n: int) -> str:
    return f"{n}th" if 10 < n % 100 < 14 else f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th') }"


def described(schedule: Schedule) -> str:
    """Return the schedule in words: ``every 2 weeks at 09:30, Europe/Zurich``."""
    at = schedule.start.astimezone(zone_of(schedule.zone)).strftime("%H:%M")
    words = _WORDS[schedule.every](schedule)
    return words if schedule.every in ELAPSED else f"{words} at {at}, {schedule.zone}"


def _each(n: int, unit: str) -> str:
    return f"every {unit}" if n == 1 else f"every {n} {unit}s"


_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WORDS: Mapping[Every, Callable[[Schedule], str]] = {
    Every.minute: lambda it: _each(it.n, "minute"),
    Every.hour: lambda it: _each(it.n, "hour"),
    Every.day: lambda it: _each(it.n, "day"),
    Every.weekday: lambda _: "Monday to Friday",
    Every.week: lambda it: f"{_each(it.n, 'week')} on {_local(it).strftime('%A')}",
    Every.dayofweek: lambda it: "every " + ", ".join(_NAMES[day] for day in it.days),
    Every.semimonth: lambda it: "on the 1st and 15th" if it.first else "on the 14th and the last day of the month",
    Every.dayofmonth: lambda it: f"{_each(it.n, 'month')} on the {'last day' if it.day == -1 else _ordinal(it.day)}",
    Every.dayweekofmonth: lambda it: (
        f"{_each(it.n, 'month')} on the {'last' if it.week == 5 else _ordinal(it.week)} {_NAMES[it.day]}"
    ),
    Every.year: lambda it: f"{_each(it.n, 'year')} on {_local(it).strftime('%-d %B')}",
}


def _local(schedule: Schedule) -> dt.datetime:
    return schedule.start.astimezone(zone_of(schedule.zone))
