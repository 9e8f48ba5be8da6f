"""States by version, range and day: a table."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from rostra.config import sections
from rostra.config.values import dated_range
from rostra.runtimes.lifecycle import Rule, Turn, next_turn, rules_of, state_on
from rostra.runtimes.model import RuntimeState

NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


def rules(deprecated: str = "", retired: str = "") -> tuple[Rule, ...]:
    def lines(text: str) -> tuple[str, ...]:
        return tuple(line.strip() for line in text.split(";") if line.strip())

    return rules_of(sections.Python(deprecated=lines(deprecated), retired=lines(retired)))


@pytest.mark.parametrize(
    ("deprecated", "retired", "version", "day", "expected", "why"),
    [
        ("", "", "3.9.1", "2026-09-01", "active", "nothing is said"),
        ("3.9", "", "3.9.1", "2026-09-01", "deprecated", "always"),
        ("3.9 from 2026-09-02", "", "3.9.1", "2026-09-01", "active", "the day before"),
        ("3.9 from 2026-09-02", "", "3.9.1", "2026-09-02", "deprecated", "from its first moment"),
        ("<3.10 from 2027-01-31", "", "3.8.2", "2027-02-01", "deprecated", "a range"),
        ("<3.10 from 2027-01-31", "", "3.10.0", "2027-02-01", "active", "not in the range"),
        ("3.9", "3.9 from 2027-01-31", "3.9.1", "2026-09-01", "deprecated", "first one, then the other"),
        ("3.9", "3.9 from 2027-01-31", "3.9.1", "2027-01-31", "retired", "retired outranks deprecated"),
        ("3.9 from 2028-01-01", "3.9", "3.9.1", "2029-01-01", "retired", "a later line of less does not bring it back"),
        ("", "3.8; 3.9.7", "3.9.7", "2026-09-01", "retired", "several lines; one very release"),
        ("", "3.8; 3.9.7", "3.9.8", "2026-09-01", "active", "not its neighbour"),
        ("3.14", "", "3.14.0rc1", "2026-09-01", "deprecated", "pre-releases belong to their series"),
    ],
)
def test_states(deprecated: str, retired: str, version: str, day: str, expected: str, why: str) -> None:
    moment = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    assert state_on(Version(version), rules(deprecated, retired), moment).value == expected, why


def test_days_are_counted_in_utc() -> None:
    given_rules = rules(retired="3.8 from 2027-01-31")
    elsewhere = dt.datetime(2027, 1, 31, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))  # still the 30th in UTC
    assert state_on(Version("3.8.1"), given_rules, elsewhere) is RuntimeState.active


@pytest.mark.parametrize(
    ("deprecated", "retired", "expected", "why"),
    [
        ("3.9", "", None, "it stays as it is"),
        ("", "3.9 from 2027-01-31", Turn(dt.date(2027, 1, 31), RuntimeState.retired), "the only one"),
        (
            "3.9 from 2026-12-01",
            "3.9 from 2027-01-31",
            Turn(dt.date(2026, 12, 1), RuntimeState.deprecated),
            "the next of two",
        ),
        ("3.9 from 2027-06-01", "3.9", None, "nothing that changes anything"),
        ("", "3.9 from 2020-01-01", None, "it has turned already"),
    ],
)
def test_the_next_turn(deprecated: str, retired: str, expected: Turn | None, why: str) -> None:
    assert next_turn(Version("3.9.1"), rules(deprecated, retired), NOON) == expected, why


@pytest.mark.parametrize(
    "text", ["3.8 from", "3.8 from tomorrow", "3.8 from 2027-02-30", "from 2027-01-01", "x from 2027-01-01"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write for example"):
        dated_range(text)


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.sampled_from(["3.8", "<3.10", ">=3.8,<3.9", "3.9.7"]))
def test_every_day_is_read(day: dt.date, versions: str) -> None:
    assert dated_range(f"{versions}  from {day}") == (dated_range(versions)[0], day)
