"""A schedule as its form has it: one field for each part, whatever the kind. Pure."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

from rostra.errors import Invalid

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# Which fields each kind has; the style sheet hides the others.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "minute": ("Minutes", ("n",)),
    "hour": ("Hours", ("n",)),
    "day": ("Days", ("n",)),
    "weekday": ("Monday to Friday", ()),
    "week": ("Weeks", ("n",)),
    "dayofweek": ("Days of the week", ("days",)),
    "semimonth": ("Twice a month", ("first",)),
    "dayofmonth": ("Months, by day", ("n", "day")),
    "dayweekofmonth": ("Months, by weekday", ("n", "weekday", "week")),
    "year": ("Years", ("n",)),
}

Number = Callable[[str, str], "int | None"]


def body(form: Mapping[str, str], whole: Number) -> dict[str, Any]:
    """Return what the API is sent; ``whole`` reads a field as a number.

    Raises:
        Invalid: a field that the kind needs is missing.
    """
    kind = form.get("every", "")
    if kind not in KINDS:
        raise Invalid("no kind of schedule was chosen", hint="Choose how often it is rendered.")
    start = form.get("start", "").strip()
    wanted: dict[str, Any] = {
        "type": kind,
        "schedule": _payload(kind, form, whole),
        "timezone": form.get("timezone", ""),
        "email": "email" in form,
        "activate": "activate" in form,
        "paused": "paused" in form,
    }
    if start:
        wanted["start_time"] = start
    return wanted


def _payload(kind: str, form: Mapping[str, str], whole: Number) -> dict[str, Any]:
    readers: Mapping[str, Callable[[], tuple[str, Any]]] = {
        "n": lambda: ("N", _needed(whole("n", "How many"), "How many")),
        "days": lambda: ("Days", _days(form)),
        "first": lambda: ("First", form.get("first", "first") == "first"),
        "day": lambda: ("Day", _needed(whole("day", "The day of the month"), "The day of the month")),
        "weekday": lambda: ("Day", _needed(whole("weekday", "The weekday"), "The weekday")),
        "week": lambda: ("Week", _needed(whole("week", "The week"), "The week")),
    }
    return dict(readers[part]() for part in KINDS[kind][1])


def _needed(number: int | None, what: str) -> int:
    if number is None:
        raise Invalid(f"{what} is missing", hint="Fill it in.")
    return number


def _days(form: Mapping[str, str]) -> list[int]:
    days = [number for number in range(7) if f"day-{number}" in form]
    if not days:
        raise Invalid("no day of the week was chosen", hint="Choose at least one.")
    return days


def fields(schedule: Mapping[str, Any] | None, now: dt.datetime) -> dict[str, Any]:
    """Return the form's fields for the schedule that is set, or for a new one: every day at the next full hour, UTC."""
    if schedule is None:
        return _fields("day", {}, "UTC", (now + dt.timedelta(hours=1)).replace(minute=0), activate=True)
    payload = schedule["schedule"]
    given = json.loads(payload) if isinstance(payload, str) else payload
    start = dt.datetime.fromisoformat(schedule["start_time"])
    more = {name: bool(schedule[name]) for name in ("email", "activate", "paused")}
    return _fields(schedule["type"], given or {}, schedule["timezone"], start, **more)


def _fields(every: str, given: Mapping[str, Any], zone: str, start: dt.datetime, **flags: bool) -> dict[str, Any]:
    days = given.get("Days", [1])
    usual = {"email": False, "activate": True, "paused": False}
    return {
        "every": every,
        "n": given.get("N", 1),
        "days": days if isinstance(days, list) else [days],
        "first": given.get("First", True),
        "day": given.get("Day", 1) if every == "dayofmonth" else 1,
        "weekday": given.get("Day", 1) if every == "dayweekofmonth" else 1,
        "week": given.get("Week", 1),
        "timezone": zone,
        "start": start.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M"),
        **usual,
        **flags,
    }


def filled(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the form's fields as they were just filled in, to be shown again beside what is wrong with them."""
    return {
        **{name: form.get(name, "") for name in ("every", "n", "day", "weekday", "week", "timezone", "start")},
        "days": [number for number in range(7) if f"day-{number}" in form],
        "first": form.get("first", "first") == "first",
        **{name: name in form for name in ("email", "activate", "paused")},
    }
