"""When a schedule runs next. Pure: no disk, no clock, no database.

A schedule in minutes or hours counts elapsed time and knows nothing of daylight saving. Every other one names a moment
on the wall of its time zone: a moment that the clocks skip is moved forward to the first one that exists, and one that
they show twice is the first of the two. So a run is never left out because of the clocks, and never made twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import rrule

from rostra.errors import Invalid

LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
_SLACK = dt.timedelta(days=2)  # more than any zone was ever off, or skipped


class Every(StrEnum):
    """The kinds of schedule; values are the wire's."""

    minute = "minute"
    hour = "hour"
    day = "day"
    weekday = "weekday"
    week = "week"
    dayofweek = "dayofweek"
    semimonth = "semimonth"
    dayofmonth = "dayofmonth"
    dayweekofmonth = "dayweekofmonth"
    year = "year"


ELAPSED = {Every.minute: dt.timedelta(minutes=1), Every.hour: dt.timedelta(hours=1)}


class BadSchedule(Invalid):
    """``what`` names the part that cannot be used."""

    code = "bad-schedule"

    def __init__(self, what: str, why: str) -> None:
        self.what = what
        super().__init__(f"the schedule's {what} is not usable: {why}", hint="See the reference of schedules.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which moments; make one with `calendar_payload.checked`.

    ``start`` is aware and gives the first possible run and, for all but minutes and hours, the time of day. ``days``
    counts from Sunday, 0. ``week`` is 1 to 4, or 5 for the last one; ``day`` of a month may be -1 for its last.
    """

    every: Every
    start: dt.datetime
    zone: str
    n: int = 1
    days: tuple[int, ...] = ()
    day: int = 1
    week: int = 1
    first: bool = True


def next_run(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    """Return the first run later than ``after`` (aware), in UTC; None when there is none before the year 2200."""
    seek = _elapsed if schedule.every in ELAPSED else _on_the_wall
    found = seek(schedule, after)
    return found if found is not None and found < LATEST else None


def zone_of(name: str) -> ZoneInfo:
    """Raises: BadSchedule."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as why:
        raise BadSchedule("timezone", f"{name[:60]!r} is not a time zone; write for example Europe/Zurich") from why


def instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return, in UTC, the moment when the clocks of ``zone`` show ``wall`` (naive) first, or when they pass it."""
    early = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    before = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)  # the clocks go forward between this and early
    return _change(before, early, zone)


def _change(before: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _elapsed(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    step = schedule.n * ELAPSED[schedule.every]
    start = schedule.start.astimezone(dt.UTC)
    if after < start:
        return start
    try:
        return start + ((after - start) // step + 1) * step
    except OverflowError:
        return None


def _on_the_wall(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    zone, start = zone_of(schedule.zone), schedule.start.astimezone(dt.UTC)
    first = start.astimezone(zone).replace(tzinfo=None, microsecond=0)
    seen = max(after, start - dt.timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    for wall in _rule(schedule, _nearer(schedule, first, seen - _SLACK)).xafter(seen - _SLACK):
        found = instant(wall, zone)
        if found >= LATEST:
            return None
        if found > after and wall >= first:
            return found
    return None


def _nearer(schedule: Schedule, first: dt.datetime, seen: dt.datetime) -> dt.datetime:
    """Return a later run of a daily or weekly rule to count from: old schedules take no longer than new ones."""
    days = {Every.day: schedule.n, Every.week: 7 * schedule.n, Every.weekday: 7, Every.dayofweek: 7}.get(schedule.every)
    if days is None or seen <= first:
        return first
    return first + (seen - first) // dt.timedelta(days=days) * dt.timedelta(days=days)


def _rule(schedule: Schedule, start: dt.datetime) -> rrule.rrule:
    until = LATEST.replace(tzinfo=None)
    return rrule.rrule(dtstart=start, until=until, wkst=rrule.SU, **_RULES[schedule.every](schedule))


def _weekday(day: int) -> rrule.weekday:
    return (rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA)[day]


_RULES: Mapping[Every, Callable[[Schedule], dict[str, Any]]] = {
    Every.day: lambda it: {"freq": rrule.DAILY, "interval": it.n},
    Every.weekday: lambda _: {"freq": rrule.WEEKLY, "byweekday": (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR)},
    Every.week: lambda it: {"freq": rrule.WEEKLY, "interval": it.n},
    Every.dayofweek: lambda it: {"freq": rrule.WEEKLY, "byweekday": [_weekday(day) for day in it.days]},
    Every.semimonth: lambda it: {"freq": rrule.MONTHLY, "bymonthday": (1, 15) if it.first else (14, -1)},
    Every.dayofmonth: lambda it: {"freq": rrule.MONTHLY, "interval": it.n, "bymonthday": it.day},
    Every.dayweekofmonth: lambda it: {
        "freq": rrule.MONTHLY,
        "interval": it.n,
        "byweekday": _weekday(it.day)(-1 if it.week == 5 else it.week),
    },
    Every.year: lambda it: {"freq": rrule.YEARLY, "interval": it.n},
}
