"""Reads a schedule as clients write it: a kind, a JSON text, a start and a time zone."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

from rostra.rendering.calendar import LATEST, BadSchedule, Every, Schedule, zone_of

EARLIEST_START = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
_MOST = 1_000_000  # of minutes, hours, days, weeks, months or years between runs


class StartTooEarly(BadSchedule):
    code = "start-too-early"
    number = 37

    def __init__(self) -> None:
        super().__init__("start_time", "it must lie between 2010 and 2199")


def checked(every: str, payload: str, start: dt.datetime, zone: str) -> Schedule:
    """Return the schedule that ``payload`` (the wire's JSON text) describes.

    Raises:
        StartTooEarly
        BadSchedule: with the part that is wrong.
    """
    if every not in tuple(Every):
        raise BadSchedule("type", f"{every[:40]!r} is not one of {', '.join(Every)}")
    if start.tzinfo is None:
        raise BadSchedule("start_time", "it has no time zone")
    if not EARLIEST_START <= start < LATEST:
        raise StartTooEarly
    zone_of(zone)
    given = _payload(payload)
    return Schedule(every=Every(every), start=start, zone=zone, **_READERS[Every(every)](given))


def _payload(text: str) -> Mapping[str, Any]:
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError) as why:
        raise BadSchedule("schedule", "it is not JSON") from why
    if given == []:  # how some clients write an empty object
        return {}
    if not isinstance(given, dict):
        raise BadSchedule("schedule", "it is not a JSON object")
    return given


def _whole(given: Mapping[str, Any], name: str, least: int, most: int, default: int | None = None) -> int:
    value = given.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadSchedule(name, f"a whole number from {least} to {most} is needed")
    return value


def _n(given: Mapping[str, Any]) -> int:
    return _whole(given, "N", 1, _MOST)


def _day_of_month(given: Mapping[str, Any]) -> int:
    day = _whole(given, "Day", -1, 31)
    if day == 0:
        raise BadSchedule("Day", "a day from 1 to 31, or -1 for the last one, is needed")
    return day


def _days(given: Mapping[str, Any]) -> tuple[int, ...]:
    days = given.get("Days")
    days = [days] if isinstance(days, int) else days  # R writes a list of one as a number
    if not isinstance(days, list) or not days:
        raise BadSchedule("Days", "a list of days from 0, Sunday, to 6 is needed")
    return tuple(sorted({_whole({"Days": day}, "Days", 0, 6) for day in days}))


def _first(given: Mapping[str, Any]) -> bool:
    first = given.get("First")
    if not isinstance(first, bool):
        raise BadSchedule("First", "true (1st and 15th) or false (14th and last) is needed")
    return first


_READERS: Mapping[Every, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    **dict.fromkeys((Every.minute, Every.hour, Every.day, Every.week, Every.year), lambda given: {"n": _n(given)}),
    Every.weekday: lambda _: {},
    Every.dayofweek: lambda given: {"days": _days(given)},
    Every.semimonth: lambda given: {"first": _first(given)},
    Every.dayofmonth: lambda given: {"n": _n(given), "day": _day_of_month(given)},
    Every.dayweekofmonth: lambda given: {
        "n": _n(given),
        "day": _whole(given, "Day", 0, 6),
        "week": _whole(given, "Week", 1, 5),
    },
}
