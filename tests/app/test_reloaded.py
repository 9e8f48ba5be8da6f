"""What came of a reload is told to who asked for that one, and to no other account."""

from __future__ import annotations

import threading
from pathlib import Path

from rostra.app.reloaded import Reloaded, forget, keep, wait


def test_what_came_of_it_is_told(tmp_path: Path) -> None:
    told = Reloaded(refused="no", hint="do this", waiting=("HTTP.Listen",))
    keep(tmp_path, 5.0, told)
    assert wait(tmp_path, 5.0, 60) == told


def test_one_that_began_before_the_question_is_no_answer(tmp_path: Path) -> None:
    keep(tmp_path, 4.9, Reloaded(refused="of before"))
    assert wait(tmp_path, 5.0, 0.1) is None


def test_an_answer_is_waited_for(tmp_path: Path) -> None:
    later = threading.Timer(0.2, keep, (tmp_path, 6.0, Reloaded()))
    later.start()
    assert wait(tmp_path, 5.0, 60) == Reloaded()
    later.join()


def test_what_is_forgotten_is_not_told(tmp_path: Path) -> None:
    keep(tmp_path, 1e12, Reloaded())
    forget(tmp_path)
    forget(tmp_path)
    assert wait(tmp_path, 5.0, 0.05) is None


def test_it_is_for_the_account_of_the_server_alone(tmp_path: Path) -> None:
    for _ in range(2):
        keep(tmp_path, 5.0, Reloaded())
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
