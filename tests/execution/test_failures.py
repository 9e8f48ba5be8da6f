from __future__ import annotations

import datetime as dt

import pytest

from rostra.execution.failures import Failures

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("failures", "pause", "fails", "why"),
    [
        (0, 0, False, "nothing happened"),
        (1, 1, False, "once is an accident: whoever asks gets another try"),
        (2, 2, False, "twice as well"),
        (3, 4, True, "three times: the next visitor is told at once"),
        (4, 8, True, "doubling"),
        (7, 60, True, "a minute at most"),
        (40, 60, True, "for ever"),
    ],
)
def test_pauses(failures: int, pause: int, fails: bool, why: str) -> None:
    state = Failures()
    for _ in range(failures):
        state = state.another(NOON)
    just_before, just_after = NOON + dt.timedelta(seconds=pause - 0.5), NOON + dt.timedelta(seconds=pause)
    assert state.pausing(just_before) is (failures > 0), why
    assert not state.pausing(just_after), why
    assert state.failing(just_before) is fails, why
    assert not state.failing(just_after), why
