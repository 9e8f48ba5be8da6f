"""When a version may be retired, and what is written for it."""

from __future__ import annotations

from typing import Any

import pytest

from rostra.errors import Conflict
from rostra.rehearsal import retire
from rostra.rehearsal.records import Present
from rostra.rehearsal.retire import ChangedSince, NotMoved, NotRehearsed, WouldBreak

DONE = {
    "id": "r1",
    "created_at": "2026-03-01T10:00:00Z",
    "state": "done",
    "steps": ["match", "resolve", "build", "start", "static"],
    "retire": ["3.8"],
}


def item(guid: str, outcome: str = "safe", *, broken_today: bool = False) -> dict[str, Any]:
    return {"guid": guid, "title": guid, "outcome": outcome, "broken_today": broken_today, "bundle_id": 1}


def present(*guids: str, bundle_id: int = 1) -> list[Present]:
    return [Present(guid=guid, title=f"the {guid}", bundle_id=bundle_id) for guid in guids]


@pytest.mark.parametrize(
    ("told", "items", "still", "refused", "why"),
    [
        (None, [], [], None, "nothing runs on it"),
        (None, [], ["a"], NotRehearsed, "nobody looked"),
        ({**DONE, "state": "cancelled"}, [item("a")], ["a"], NotRehearsed, "not looked to the end"),
        ({**DONE, "steps": ["match", "resolve"]}, [item("a")], ["a"], NotRehearsed, "nothing was started"),
        (DONE, [item("a")], ["a", "b"], NotRehearsed, "one came later"),
        (DONE, [item("a"), item("b", "needs-work")], ["a", "b"], WouldBreak, "one breaks"),
        (DONE, [item("a"), item("b", "new-pins")], ["a", "b"], WouldBreak, "one needs its author"),
        (DONE, [item("a"), item("b", "needs-work")], [], None, "both have gone since"),
        (DONE, [item("a")], ["a"], NotMoved, "it is safe, but still there"),
        (DONE, [item("a", "needs-work", broken_today=True)], ["a"], None, "it does not work anyway"),
    ],
)
def test_when_it_is_refused(
    told: Any, items: list[Any], still: list[str], refused: type[Conflict] | None, why: str
) -> None:
    if refused is None:
        retire.check("3.8", told, items, present(*still))
        return
    with pytest.raises(refused) as said:
        retire.check("3.8", told, items, present(*still))
    assert "--anyway" in said.value.hint, why


@pytest.mark.parametrize(
    ("outcomes", "refused", "words"),
    [
        ({"a": "safe", "b": "safe"}, ChangedSince, "1 item on Python 3.8 changed after the rehearsal of 2026-03-01: b"),
        ({"a": "safe", "b": "needs-work"}, ChangedSince, "changed after"),
        ({"a": "needs-work", "b": "needs-work"}, WouldBreak, "would break 1 item: a"),
    ],
)
def test_what_was_published_again_is_not_known(outcomes: dict[str, str], refused: type[Conflict], words: str) -> None:
    items = [item(guid, outcome) for guid, outcome in outcomes.items()]
    with pytest.raises(refused) as said:
        retire.check("3.8", DONE, items, [*present("a"), *present("b", bundle_id=2)])
    assert words in said.value.message


def test_a_refusal_offers_to_move_what_is_safe_and_says_where_the_reasons_are() -> None:
    with pytest.raises(WouldBreak) as said:
        retire.check("3.8", DONE, [item("a", "needs-work"), item("b"), item("c")], present("a", "b", "c"))
    assert "--resume r1" in said.value.hint
    assert "Move the 2 items that are safe: add --rebuild-safe" in said.value.hint


def test_what_came_later_is_named() -> None:
    with pytest.raises(NotRehearsed) as said:
        retire.check("3.8", DONE, [item("a")], present("a", "b"))
    assert "1 item came to it since the last rehearsal: the b" in said.value.message


@pytest.mark.parametrize(
    ("rehearsed", "version", "covered"),
    [
        (["3.8"], "3.8", True),
        (["3.8"], "3.8.18", True),
        (["3.8", "3.9"], "3.9", True),
        (["3.8"], "3.9", False),
        (["3.8.18"], "3.8", False),
    ],
)
def test_which_rehearsals_count(rehearsed: list[str], version: str, covered: bool) -> None:
    assert retire.covers({"retire": rehearsed}, version) is covered


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[Python]\nEnabled = true\n", "[Python]\nEnabled = true\nRetired = 3.8\n"),
        (
            "[Python]\nEnabled = true\n\n[HTTP]\nListen = :1\n",
            "[Python]\nEnabled = true\nRetired = 3.8\n\n[HTTP]\nListen = :1\n",
        ),
        ("[Server]\nDataDir = /x\n", "[Server]\nDataDir = /x\n\n[Python]\nRetired = 3.8\n"),
        ("[python]\nretired=3.8\n", "[python]\nretired=3.8\n"),
        ("[Python]\nRetired = 3.7\n", "[Python]\nRetired = 3.7\nRetired = 3.8\n"),
    ],
)
def test_the_line_is_written_once_into_its_section(before: str, after: str) -> None:
    assert retire.written(before, "3.8") == after
    assert retire.written(after, "3.8") == after


def test_one_that_was_stopped_is_to_be_gone_on_with() -> None:
    with pytest.raises(NotRehearsed) as said:
        retire.check("3.8", {**DONE, "state": "cancelled"}, [], present("a"))
    assert "rostra runtimes rehearse --resume r1" in said.value.hint
