"""When schedules run: a table with reasons, and an independent reader that looks at every day."""

# ruff: noqa: E501, DTZ001 - tables with one case a line; the oracle works on what walls show

import calendar as days_of
import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rostra.rendering.calendar import BadSchedule, Schedule, next_run
from rostra.rendering.calendar_payload import StartTooEarly, checked
from rostra.rendering.calendar_words import described

NEW_YORK, ZURICH, LORD_HOWE, APIA, UTC = (
    "America/New_York",
    "Europe/Zurich",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
)


def made(every: str, payload: object, start: str, zone: str = UTC) -> Schedule:
    moment = dt.datetime.fromisoformat(start)
    moment = moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
    return checked(every, json.dumps(payload), moment, zone)


def runs(schedule: Schedule, after: str, count: int) -> list[str]:
    """Return the next ``count`` runs as the clocks of the schedule's zone show them."""
    zone, moment = ZoneInfo(schedule.zone), dt.datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(schedule.zone))
    found = []
    for _ in range(count):
        moment = next_run(schedule, moment)
        if moment is None:
            break
        found.append(moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z"))
    return found


def test_every_kind_of_schedule_runs_when_it_says() -> None:
    table = [
        ("minute", {"N": 15}, "2026-01-01 00:07", UTC, "2026-01-01 01:00", ["2026-01-01 01:07", "2026-01-01 01:22"]),
        ("minute", {"N": 90}, "2026-01-01 00:00", UTC, "2026-01-01 00:00", ["2026-01-01 01:30", "2026-01-01 03:00"]),
        ("hour", {"N": 25}, "2026-01-01 00:00", UTC, "2026-01-01 00:00", ["2026-01-02 01:00", "2026-01-03 02:00"]),
        ("day", {"N": 3}, "2026-01-01 09:00", UTC, "2026-01-02 00:00", ["2026-01-04 09:00", "2026-01-07 09:00"]),
        ("weekday", {}, "2026-01-02 09:00", UTC, "2026-01-02 09:00", ["2026-01-05 09:00", "2026-01-06 09:00"]),
        ("weekday", [], "2026-01-03 09:00", UTC, "2026-01-01 09:00", ["2026-01-05 09:00", "2026-01-06 09:00"]),
        ("week", {"N": 2}, "2026-01-01 09:00", UTC, "2026-01-01 09:00", ["2026-01-15 09:00", "2026-01-29 09:00"]),
        (
            "dayofweek",
            {"Days": [0, 6]},
            "2026-01-01 09:00",
            UTC,
            "2026-01-01 09:00",
            ["2026-01-03 09:00", "2026-01-04 09:00"],
        ),
        (
            "dayofweek",
            {"Days": 1},
            "2026-01-01 09:00",
            UTC,
            "2026-01-01 09:00",
            ["2026-01-05 09:00", "2026-01-12 09:00"],
        ),
        (
            "semimonth",
            {"First": True},
            "2026-01-01 09:00",
            UTC,
            "2026-01-01 09:00",
            ["2026-01-15 09:00", "2026-02-01 09:00"],
        ),
        (
            "semimonth",
            {"First": False},
            "2026-02-01 09:00",
            UTC,
            "2026-02-01 09:00",
            ["2026-02-14 09:00", "2026-02-28 09:00"],
        ),
        (
            "dayofmonth",
            {"N": 3, "Day": 4},
            "2026-01-01 09:00",
            UTC,
            "2026-01-04 09:00",
            ["2026-04-04 09:00", "2026-07-04 09:00"],
        ),
        (
            "dayofmonth",
            {"N": 1, "Day": 31},
            "2026-01-31 09:00",
            UTC,
            "2026-01-31 09:00",
            ["2026-03-31 09:00", "2026-05-31 09:00"],
        ),
        (
            "dayofmonth",
            {"N": 1, "Day": -1},
            "2026-01-31 09:00",
            UTC,
            "2026-01-31 09:00",
            ["2026-02-28 09:00", "2026-03-31 09:00"],
        ),
        (
            "dayweekofmonth",
            {"N": 1, "Day": 2, "Week": 2},
            "2026-01-01 09:00",
            UTC,
            "2026-01-01 09:00",
            ["2026-01-13 09:00", "2026-02-10 09:00"],
        ),
        (
            "dayweekofmonth",
            {"N": 1, "Day": 5, "Week": 5},
            "2026-01-01 09:00",
            UTC,
            "2026-01-01 09:00",
            ["2026-01-30 09:00", "2026-02-27 09:00"],
        ),
        ("year", {"N": 2}, "2026-03-01 09:00", UTC, "2026-03-01 09:00", ["2028-03-01 09:00", "2030-03-01 09:00"]),
        ("year", {"N": 1}, "2024-02-29 09:00", UTC, "2024-02-29 09:00", ["2028-02-29 09:00", "2032-02-29 09:00"]),
    ]
    for every, payload, start, zone, after, expected in table:
        assert [run[:16] for run in runs(made(every, payload, start, zone), after, 2)] == expected, (every, payload)


@pytest.mark.parametrize(
    ("every", "payload", "start", "zone", "after", "expected", "why"),
    [
        ("day", {"N": 1}, "2026-03-01 02:30", NEW_YORK, "2026-03-07 12:00", ["2026-03-08 03:00 EDT", "2026-03-09 02:30 EDT"],
         "02:30 does not exist on that day: the first minute that does"),
        ("day", {"N": 1}, "2026-03-01 02:00", NEW_YORK, "2026-03-07 12:00", ["2026-03-08 03:00 EDT", "2026-03-09 02:00 EDT"],
         "the skipped hour's first moment is moved too"),
        ("day", {"N": 1}, "2026-03-01 03:00", NEW_YORK, "2026-03-07 12:00", ["2026-03-08 03:00 EDT", "2026-03-09 03:00 EDT"],
         "the first moment after the gap is itself"),
        ("day", {"N": 1}, "2026-10-01 01:30", NEW_YORK, "2026-10-31 12:00", ["2026-11-01 01:30 EDT", "2026-11-02 01:30 EST"],
         "01:30 comes twice: once, the first time"),
        ("hour", {"N": 1}, "2026-10-01 00:30", NEW_YORK, "2026-11-01 00:40", ["2026-11-01 01:30 EDT", "2026-11-01 01:30 EST"],
         "hours count elapsed time"),
        ("minute", {"N": 30}, "2026-03-01 00:00", NEW_YORK, "2026-03-08 01:10", ["2026-03-08 01:30 EST", "2026-03-08 03:00 EDT"],
         "minutes too"),
        ("week", {"N": 1}, "2026-03-22 02:15", ZURICH, "2026-03-22 12:00", ["2026-03-29 03:00 CEST", "2026-04-05 02:15 CEST"],
         "weekly on the Sunday of the change"),
        ("day", {"N": 1}, "2026-09-01 02:10", LORD_HOWE, "2026-10-03 12:00", ["2026-10-04 02:30 +11", "2026-10-05 02:10 +11"],
         "a change by half an hour"),
        ("day", {"N": 1}, "2011-12-28 09:00", APIA, "2011-12-29 10:00", ["2011-12-31 00:00 +14", "2011-12-31 09:00 +14"],
         "a whole day that never was: its run is the first moment after it"),
        ("day", {"N": 1}, "2011-12-28 00:00", APIA, "2011-12-29 10:00", ["2011-12-31 00:00 +14", "2012-01-01 00:00 +14"],
         "two runs moved to one moment are one"),
    ],
)  # fmt: skip
def test_clocks_that_change_leave_no_run_out_and_make_none_twice(
    every: str, payload: object, start: str, zone: str, after: str, expected: list[str], why: str
) -> None:
    assert runs(made(every, payload, start, zone), after, 2) == expected, why


def test_the_start_itself_is_a_run_when_it_fits() -> None:
    schedule = made("day", {"N": 1}, "2026-01-01 09:00")
    assert runs(schedule, "2025-06-01", 1) == ["2026-01-01 09:00 UTC"]
    assert runs(made("dayofmonth", {"N": 1, "Day": 4}, "2026-01-05 09:00"), "2025-06-01", 1) == ["2026-02-04 09:00 UTC"]


def test_a_schedule_that_never_fits_has_no_next_run() -> None:
    assert next_run(made("dayofmonth", {"N": 12, "Day": 30}, "2026-02-01 09:00"), dt.datetime.now(dt.UTC)) is None
    assert next_run(made("year", {"N": 1_000_000}, "2026-02-01 09:00"), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)) is None


@pytest.mark.parametrize(
    ("every", "payload", "start", "zone", "error"),
    [
        ("fortnight", {}, "2026-01-01 09:00", UTC, BadSchedule),
        ("minute", {"N": 0}, "2026-01-01 09:00", UTC, BadSchedule),
        ("minute", {}, "2026-01-01 09:00", UTC, BadSchedule),
        ("minute", {"N": True}, "2026-01-01 09:00", UTC, BadSchedule),
        ("hour", {"N": 10**12}, "2026-01-01 09:00", UTC, BadSchedule),
        ("dayofweek", {"Days": []}, "2026-01-01 09:00", UTC, BadSchedule),
        ("dayofweek", {"Days": [7]}, "2026-01-01 09:00", UTC, BadSchedule),
        ("semimonth", {}, "2026-01-01 09:00", UTC, BadSchedule),
        ("dayofmonth", {"N": 1, "Day": 0}, "2026-01-01 09:00", UTC, BadSchedule),
        ("dayweekofmonth", {"N": 1, "Day": 1, "Week": 6}, "2026-01-01 09:00", UTC, BadSchedule),
        ("day", {"N": 1}, "2009-01-01 09:00", UTC, StartTooEarly),
        ("day", "N", "2026-01-01 09:00", UTC, BadSchedule),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    every: str, payload: object, start: str, zone: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        made(every, payload, start, zone)


def test_a_zone_that_is_none_is_refused() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", "", "a\0b"):
        with pytest.raises(BadSchedule):
            checked("day", '{"N": 1}', dt.datetime(2026, 1, 1, tzinfo=dt.UTC), zone)


def test_schedules_have_words() -> None:
    assert (
        described(made("week", {"N": 2}, "2026-01-05 09:30", ZURICH))
        == "every 2 weeks on Monday at 09:30, Europe/Zurich"
    )
    assert (
        described(made("dayofmonth", {"N": 1, "Day": 22}, "2026-01-05 09:30"))
        == "every month on the 22nd at 09:30, UTC"
    )
    assert described(made("minute", {"N": 1}, "2026-01-05 09:30")) == "every minute"


# The oracle knows days one by one, and finds what the clocks show by looking at every minute around it.

ZONES = ("UTC", NEW_YORK, ZURICH, LORD_HOWE, "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", APIA)
FIRST = dt.date(2018, 1, 1)
TEN_YEARS = 3653
STARTS = st.builds(
    dt.datetime.combine,
    st.dates(dt.date(2016, 1, 1), dt.date(2019, 12, 31)),
    st.one_of(st.times(), st.sampled_from([dt.time(h, m) for h in (0, 1, 2, 3) for m in (0, 15, 30, 59)])),
)
PAYLOADS = st.one_of(
    st.tuples(st.just("day"), st.builds(lambda n: {"N": n}, st.integers(1, 60) | st.integers(61, 800))),
    st.tuples(st.just("weekday"), st.just({}) | st.just([])),
    st.tuples(st.just("week"), st.builds(lambda n: {"N": n}, st.integers(1, 9) | st.integers(10, 120))),
    st.tuples(
        st.just("dayofweek"),
        st.builds(lambda d: {"Days": d}, st.lists(st.integers(0, 6), min_size=1) | st.integers(0, 6)),
    ),
    st.tuples(st.just("semimonth"), st.builds(lambda f: {"First": f}, st.booleans())),
    st.tuples(
        st.just("dayofmonth"),
        st.builds(lambda n, d: {"N": n, "Day": d}, st.integers(1, 40), st.integers(1, 31) | st.just(-1)),
    ),
    st.tuples(
        st.just("dayweekofmonth"),
        st.builds(
            lambda n, d, w: {"N": n, "Day": d, "Week": w}, st.integers(1, 40), st.integers(0, 6), st.integers(1, 5)
        ),
    ),
    st.tuples(st.just("year"), st.builds(lambda n: {"N": n}, st.integers(1, 4))),
)


def fits(every: str, payload: Any, start: dt.date, day: dt.date) -> bool:
    months = (day.year - start.year) * 12 + day.month - start.month
    last = days_of.monthrange(day.year, day.month)[1]
    sunday_first = (day.weekday() + 1) % 7
    match every:
        case "day":
            return (day - start).days % payload["N"] == 0
        case "weekday":
            return day.weekday() < 5
        case "week":
            return (day - start).days % (7 * payload["N"]) == 0
        case "dayofweek":
            days = payload["Days"]
            return sunday_first in (days if isinstance(days, list) else [days])
        case "semimonth":
            return day.day in ((1, 15) if payload["First"] else (14, last))
        case "dayofmonth":
            return months % payload["N"] == 0 and day.day == (payload["Day"] if payload["Day"] > 0 else last)
        case "dayweekofmonth":
            nth = day.day > last - 7 if payload["Week"] == 5 else (day.day - 1) // 7 + 1 == payload["Week"]
            return months % payload["N"] == 0 and sunday_first == payload["Day"] and nth
        case _:
            return (day.month, day.day) == (start.month, start.day) and (day.year - start.year) % payload["N"] == 0


def first_shown(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the first moment at which the clocks show ``wall`` or anything later."""
    if wall.replace(tzinfo=zone).utcoffset() == wall.replace(tzinfo=zone, fold=1).utcoffset():
        return wall.replace(tzinfo=zone).astimezone(dt.UTC)
    moment = (wall - dt.timedelta(hours=30)).replace(tzinfo=dt.UTC)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += dt.timedelta(minutes=1)
    return moment


def oracle(every: str, payload: dict, start: dt.datetime, zone: ZoneInfo) -> list[dt.datetime]:  # type: ignore[type-arg]
    found = []
    for number in range(TEN_YEARS):
        day = FIRST + dt.timedelta(days=number)
        wall = dt.datetime.combine(day, start.time())
        if wall >= start and fits(every, payload, start.date(), day):
            found.append(first_shown(wall, zone))
    return sorted(set(found))


@settings(max_examples=60, deadline=None)
@given(PAYLOADS, STARTS, st.sampled_from(ZONES))
@example(("day", {"N": 1}), dt.datetime(2018, 1, 1, 2, 30), NEW_YORK)
@example(("day", {"N": 1}), dt.datetime(2018, 1, 1, 0, 30), "America/Sao_Paulo")
@example(("day", {"N": 1}), dt.datetime(2018, 1, 1, 2, 15), LORD_HOWE)
@example(("dayofmonth", {"N": 1, "Day": -1}), dt.datetime(2018, 1, 31, 2, 30), ZURICH)
@example(("weekday", []), dt.datetime(2018, 1, 1, 2, 30), NEW_YORK)
@example(("dayofweek", {"Days": 0}), dt.datetime(2018, 1, 1, 2, 30), NEW_YORK)
def test_ten_years_agree_with_looking_at_every_day(kind: tuple[str, dict], start: dt.datetime, zone_name: str) -> None:  # type: ignore[type-arg]
    every, payload = kind
    zone, start = ZoneInfo(zone_name), start.replace(second=0, microsecond=0)
    begun = first_shown(start, zone)
    schedule = checked(every, json.dumps(payload), begun, zone_name)
    start = begun.astimezone(zone).replace(tzinfo=None)  # a start that does not exist is moved, and the rule with it
    expected = oracle(every, payload, start, zone)
    found, moment = [], dt.datetime.combine(FIRST, dt.time(), tzinfo=zone) - dt.timedelta(seconds=1)
    probes = [moment, *expected[:: max(1, len(expected) // 60)]]
    for probe in probes:
        after = next((run for run in expected if run > probe), None)
        if after is not None:
            found.append((next_run(schedule, probe), after))
    assert all(ours == theirs for ours, theirs in found)
    assert all(
        next_run(schedule, run - dt.timedelta(seconds=1)) == run for run in expected[:: max(1, len(expected) // 60)]
    )


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["minute", "hour"]), st.integers(1, 5000), STARTS, st.integers(0, 10 * 365 * 86400))
def test_elapsed_time_is_even(every: str, n: int, start: dt.datetime, later: int) -> None:
    begun = start.replace(tzinfo=dt.UTC, microsecond=0)
    schedule = checked(every, json.dumps({"N": n}), begun, NEW_YORK)
    step = n * dt.timedelta(**{f"{every}s": 1})
    after = begun + dt.timedelta(seconds=later)
    found = next_run(schedule, after)
    assert found is not None
    assert found > after >= found - step
    assert (found - begun) % step == dt.timedelta(0)
