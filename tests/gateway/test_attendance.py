import pytest

from rostra.gateway import attendance
from rostra.gateway.attendance import STILL_SECONDS, Attendance


def test_a_session_is_told_when_it_begins_and_when_it_ends() -> None:
    there = Attendance()
    session = there.begin("item", "user", 100.0)
    assert session is not None
    assert there.news(101.0) == [[session.key, "item", "user", 100.0, None]]
    assert there.news(102.0) == []
    there.end(session, 103.0)
    assert there.news(104.0) == [[session.key, "item", "user", 100.0, 103.0]]
    assert there.news(200.0) == []


def test_one_that_goes_on_is_told_again() -> None:
    there = Attendance()
    there.begin("item", None, 100.0)
    there.news(100.0)
    assert there.news(100.0 + STILL_SECONDS - 1) == []
    assert [row[4] for row in there.news(100.0 + STILL_SECONDS)] == [None]


def test_one_that_was_shorter_than_a_look_is_told_once() -> None:
    there = Attendance()
    there.end(there.begin("item", None, 100.0), 100.5)
    assert [row[3:] for row in there.news(101.0)] == [[100.0, 100.5]]


def test_ending_twice_is_fine() -> None:
    there = Attendance()
    session = there.begin("item", None, 100.0)
    there.end(session, 101.0)
    there.end(session, 102.0)
    assert len(there.news(103.0)) == 1


def test_keys_are_unique_beyond_one_gateway() -> None:
    keys = {session.key for _ in range(100) if (session := Attendance().begin("item", None, 1.0))}
    assert len(keys) == 100


def test_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "MOST", 2)
    there = Attendance()
    sessions = [there.begin("item", None, 1.0) for _ in range(3)]
    assert sessions[2] is None
    there.end(sessions[2], 2.0)
    assert len(there.news(3.0)) == 2
