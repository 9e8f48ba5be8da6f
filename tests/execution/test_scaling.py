from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.execution.scaling import Limits, surplus, wanted
from rostra.ids import ProcessKey


@pytest.mark.parametrize(
    ("connections", "running", "limits", "expected", "why"),
    [
        (0, 0, Limits(), 0, "nobody is here"),
        (0, 0, Limits(min_processes=2), 1, "the minimum is reached one at a time"),
        (0, 1, Limits(min_processes=2), 2, "and then the next"),
        (1, 0, Limits(), 1, "the first visitor wakes it"),
        (10, 1, Limits(), 1, "full but comfortable"),
        (11, 1, Limits(), 2, "past half load, add one"),
        (99, 1, Limits(), 2, "one at a time, even in a rush"),
        (99, 3, Limits(), 3, "the ceiling holds"),
        (99, 5, Limits(), 5, "a lowered ceiling ends nobody"),
        (1, 1, Limits(load_factor=0.0), 2, "factor 0: as early as can be"),
        (20, 1, Limits(load_factor=1.0), 1, "factor 1: not before it is full"),
        (21, 1, Limits(load_factor=1.0), 2, "factor 1: more than full"),
        (1, 1, Limits(max_conns_per_process=1), 2, "one connection each: the next visitor needs another"),
    ],
)
def test_how_many_are_wanted(connections: int, running: int, limits: Limits, expected: int, why: str) -> None:
    assert wanted(connections, running, limits) == expected, why


@given(
    st.integers(0, 500),
    st.integers(0, 30),
    st.builds(
        Limits,
        min_processes=st.integers(0, 3),
        max_processes=st.integers(3, 9),
        max_conns_per_process=st.integers(1, 50),
        load_factor=st.floats(0, 1),
    ),
)
def test_never_fewer_and_never_more_than_one_more(connections: int, running: int, limits: Limits) -> None:
    assert running <= wanted(connections, running, limits) <= max(running, min(running + 1, limits.max_processes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_processes": 4},
        {"max_processes": 0},
        {"min_processes": -1},
        {"max_conns_per_process": 0},
        {"load_factor": 1.1},
        {"load_factor": -0.1},
    ],
)
def test_impossible_limits_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        Limits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("idle", "running", "minimum", "expected", "why"),
    [
        ({}, 2, 0, [], "all busy"),
        ({"a": 119.0}, 1, 0, [], "not long enough"),
        ({"a": 120.0}, 1, 0, ["a"], "exactly long enough"),
        ({"a": 130.0, "b": 300.0}, 3, 0, ["b", "a"], "the longest idle first"),
        ({"a": 130.0, "b": 300.0}, 2, 1, ["b"], "the minimum stays"),
        ({"a": 130.0, "b": 300.0}, 3, 1, ["b", "a"], "a busy one counts towards the minimum"),
        ({"a": 130.0}, 1, 1, [], "the last one of the minimum"),
    ],
)
def test_which_idle_processes_may_go(
    idle: dict[ProcessKey, float], running: int, minimum: int, expected: list[str], why: str
) -> None:
    assert surplus(idle, running, 120.0, Limits(min_processes=minimum)) == expected, why
