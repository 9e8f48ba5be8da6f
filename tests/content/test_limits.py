import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.config.sections import Scheduler
from rostra.content import fields, limits
from rostra.content.limits import Ceilings, LimitRefused

WIDE = Ceilings(min_processes_limit=10, memory_request=100, memory_limit=200, cpu_request=2.0, cpu_limit=4.0)


def judge(asked: dict[str, object]) -> None:
    limits.check_together(fields.check(asked), WIDE)


@pytest.mark.parametrize(
    ("asked", "number", "why"),
    [
        ({"min_processes": -1}, 191, "negative"),
        ({"min_processes": 1.5}, 191, "half a process"),
        ({"min_processes": True}, 191, "true is not one"),
        ({"min_processes": "1"}, 191, "a text"),
        ({"min_processes": 2**63}, 191, "more than a column holds"),
        ({"min_processes": 11}, 45, "over the server's limit"),
        ({"max_processes": -1}, 192, "negative"),
        ({"max_processes": 0}, 272, "zero has a number of its own"),
        ({"max_processes": False}, 192, "false is not zero"),
        ({"max_processes": 21}, 113, "over the server's limit"),
        ({"min_processes": 3, "max_processes": 2}, 114, "least over most"),
        ({"min_processes": 4}, 114, "least over the server's own most"),
        ({"max_conns_per_process": 0}, 239, "none"),
        ({"load_factor": -0.1}, 150, "below"),
        ({"load_factor": 1.1}, 150, "above"),
        ({"load_factor": float("nan")}, 150, "not a number"),
        ({"load_factor": float("inf")}, 150, "infinite"),
        ({"load_factor": True}, 150, "true is not 1.0"),
        ({"init_timeout": -1}, 151, "negative"),
        ({"idle_timeout": 2_592_001}, 151, "over 30 days"),
        ({"connection_timeout": 1.5}, 151, "not whole"),
        ({"read_timeout": "5"}, 151, "a text"),
        ({"memory_request": -1}, 181, "negative"),
        ({"memory_request": 101}, 182, "over the ceiling"),
        ({"memory_limit": "1G"}, 183, "a text"),
        ({"memory_limit": 201}, 184, "over the ceiling"),
        ({"memory_request": 51, "memory_limit": 50}, 185, "request over limit"),
        ({"cpu_request": -1}, 186, "negative"),
        ({"cpu_request": 2.5}, 187, "over the ceiling"),
        ({"cpu_limit": None, "cpu_request": "x"}, 186, "a text"),
        ({"cpu_limit": float("nan")}, 188, "not a number"),
        ({"cpu_limit": 4.5}, 189, "over the ceiling"),
        ({"cpu_request": 1.5, "cpu_limit": 1}, 190, "request over limit"),
        ({"amd_gpu_limit": -1}, 196, "negative"),
        ({"nvidia_gpu_limit": 0.5}, 198, "half a card"),
    ],
)
def test_refused(asked: dict[str, object], number: int, why: str) -> None:
    with pytest.raises(LimitRefused) as told:
        judge(asked)
    assert told.value.number == number, why
    assert told.value.field in asked
    assert told.value.hint.startswith("Send ")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "nothing asked"),
        (dict.fromkeys(limits.CHECKS), "null everywhere is the server's default"),
        ({"min_processes": 3}, "as many as the server's own most"),
        ({"min_processes": 5, "max_processes": 5}, "equal"),
        ({"load_factor": 0}, "a whole number is a number"),
        ({"load_factor": 1.0}, "the end"),
        ({"read_timeout": 0, "idle_timeout": 2_592_000}, "both ends"),
        ({"memory_request": 100, "memory_limit": 200, "cpu_request": 2, "cpu_limit": 4.0}, "at the ceilings"),
        ({"memory_limit": 50, "memory_request": None}, "a limit alone"),
    ],
)
def test_accepted(asked: dict[str, object], why: str) -> None:
    judge(asked)


def test_ceilings_come_from_the_settings() -> None:
    assert limits.ceilings(Scheduler()) == Ceilings()


@given(st.dictionaries(st.sampled_from(sorted(limits.CHECKS)), st.integers() | st.floats() | st.text() | st.none()))
def test_whatever_is_asked_is_refused_or_within_bounds(asked: dict[str, object]) -> None:
    try:
        judge(asked)
    except LimitRefused:
        return
    for value in asked.values():
        assert value is None or 0 <= value < 2**63  # type: ignore[operator]
