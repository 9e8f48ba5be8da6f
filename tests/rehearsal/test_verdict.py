"""One verdict from what the steps found."""

from __future__ import annotations

import dataclasses

import pytest

from rostra.rehearsal import shelves
from rostra.rehearsal.model import (
    Answer,
    Built,
    Checked,
    Findings,
    Matched,
    Moved,
    Outcome,
    Plan,
    Remark,
    Resolved,
    Started,
    Step,
    Weight,
    up_to,
)
from rostra.rehearsal.verdict import judge, next_plan

TO = Matched(to="3.13.0", path="/p", reason="because")
SAME = Resolved(plans=(Plan(pins=("a==1",)),))
NEWER = Plan(moved=(Moved(name="a", before="1", after="2"),))
EDITED = dataclasses.replace(NEWER, edits=(("a==1", "a==2"),))
COMPILED = Plan(source=("a",), compiled=("a",))
BUILT = Built(plan=0, key="k")
FINE = Answer(good=True, status=200)
BAD = Answer(good=False, status=500, reason="answers 500: KeyError: 'x'", where="app.py:3")
UNRUN = Answer(good=True, status=200, ran=False, unseen="no session could be opened to run its code")
LINE = Remark(file="app.py", line=3, text="imports imp, which is gone", module="imp")
LATER = dataclasses.replace(LINE, lazy=True)


@pytest.mark.parametrize(
    ("found", "outcome", "by", "why"),
    [
        (Findings(matched=Matched(forbidden="there is none")), "impossible", "match", "nowhere to go"),
        (Findings(matched=Matched(to="3.13.0", forbidden="its own range")), "needs-work", "match", "range in the way"),
        (Findings(matched=TO), "safe", "match", "that is all that was asked"),
        (Findings(matched=TO, resolved=Resolved(reason="no such a")), "impossible", "resolve", "no plan at all"),
        (Findings(matched=TO, resolved=SAME), "safe", "resolve", "resolves as it is"),
        (Findings(matched=TO, resolved=Resolved(plans=(NEWER,))), "new-pins", "resolve", "only newer ones"),
        (Findings(matched=TO, resolved=Resolved(plans=(COMPILED, NEWER))), "new-pins", "resolve", "compiling may fail"),
        (Findings(matched=TO, resolved=Resolved(plans=(COMPILED,))), "impossible", "resolve", "nothing but compiling"),
        (Findings(matched=TO, resolved=Resolved(plans=(COMPILED, NEWER)), built=BUILT), "safe", "build",
         "it compiled"),
        (Findings(matched=TO, resolved=Resolved(plans=(COMPILED, NEWER)), built=Built(plan=1)), "new-pins", "build",
         "it did not"),
        (Findings(matched=TO, resolved=SAME, built=Built(reason="gcc failed")), "impossible", "build",
         "nothing builds"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=FINE)), "safe", "start", "it answers"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=FINE),
                  checked=Checked(remarks=(LINE,))), "safe", "start", "the line was run, and it worked"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=UNRUN),
                  checked=Checked(remarks=(LINE,))), "needs-work", "static", "only its framework was started"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=BAD, today=FINE)), "needs-work", "start",
         "it did, and does not any more"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=BAD)), "needs-work", "start",
         "today cannot be asked"),
        (Findings(matched=TO, resolved=SAME, built=BUILT,
                  started=Started(then=dataclasses.replace(FINE, status=404), today=FINE)), "needs-work", "start",
         "another class of answer"),
        (Findings(matched=TO, resolved=SAME, built=BUILT,
                  started=Started(then=dataclasses.replace(FINE, status=404),
                                  today=dataclasses.replace(FINE, status=401))), "safe", "start", "the same class"),
        (Findings(matched=TO, checked=Checked(remarks=(LINE,))), "needs-work", "static", "a line breaks"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=FINE), checked=Checked(remarks=(LINE,))),
         "safe", "start", "that line has been run, and worked"),
        (Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=FINE),
                  checked=Checked(remarks=(LATER,))), "needs-work", "static", "that line has not been run"),
        (Findings(matched=TO, checked=Checked(remarks=(dataclasses.replace(LINE, weight=Weight.maybe),))), "safe",
         "static", "the author prepared"),
        (Findings(matched=TO, resolved=Resolved(plans=(EDITED,)), built=BUILT, started=Started(then=BAD, today=FINE)),
         "needs-work", "start", "newer packages alone do not do it"),
        (Findings(matched=TO, resolved=Resolved(plans=(NEWER,)), built=BUILT, started=Started(then=FINE)), "new-pins",
         "build", "newer ones do"),
    ],
)  # fmt: skip
def test_verdicts(found: Findings, outcome: str, by: str, why: str) -> None:
    verdict = judge(found)
    assert (verdict.outcome.value, verdict.decided_by.value) == (outcome, by), why
    assert verdict.reason.endswith((".", "!", "?"))
    assert verdict.action
    assert (verdict.outcome is Outcome.safe) == ("Rebuild" in verdict.action)


TWO = Resolved(plans=(NEWER, EDITED))
FELL = Started(then=BAD, today=FINE)


@pytest.mark.parametrize(
    ("found", "following", "why"),
    [
        (Findings(matched=TO, resolved=TWO, built=BUILT, started=FELL), 1, "there is another way"),
        (Findings(matched=TO, resolved=TWO, built=Built(plan=1), started=FELL), None, "it was the last"),
        (Findings(matched=TO, resolved=TWO, built=BUILT, started=Started(then=FINE)), None, "it starts"),
        (Findings(matched=TO, resolved=TWO, built=BUILT, started=Started(then=BAD, today=BAD)), None, "nor does today"),
        (Findings(matched=TO, resolved=TWO, built=BUILT, started=Started(then=BAD)), None, "today cannot be asked"),
        (Findings(matched=TO, resolved=TWO, built=BUILT, started=FELL, checked=Checked(remarks=(LINE,))), None,
         "its own line is why"),
        (Findings(matched=TO, resolved=TWO, built=BUILT), None, "nothing was started"),
        (Findings(matched=TO, resolved=TWO, built=Built(reason="no")), None, "nothing was built"),
    ],
)  # fmt: skip
def test_which_plan_is_tried_next(found: Findings, following: int | None, why: str) -> None:
    assert next_plan(found) == following, why


def test_a_start_and_the_static_check_are_told_together() -> None:
    started = Started(then=Answer(good=False, reason="ModuleNotFoundError: imp", where="app.py:3"))
    found = Findings(matched=TO, resolved=SAME, built=BUILT, started=started, checked=Checked(remarks=(LINE,)))
    assert judge(found).reason == "ModuleNotFoundError: imp; the line imports imp, which is gone."
    assert judge(found).where == "app.py:3"


def test_a_start_that_tells_no_line_is_told_with_the_one_that_asks_for_what_it_missed() -> None:
    started = Started(then=Answer(good=False, reason="ModuleNotFoundError: No module named 'imp'"), today=FINE)
    verdict = judge(Findings(matched=TO, resolved=SAME, built=BUILT, started=started, checked=Checked(remarks=(LINE,))))
    assert (verdict.where, verdict.action) == ("app.py:3", "Correct the code and publish it again.")


def test_a_file_that_begins_a_sentence_keeps_its_name() -> None:
    started = Started(then=Answer(good=False, reason="report.Rmd, line 3: it fails"), today=FINE)
    verdict = judge(Findings(matched=TO, resolved=SAME, built=BUILT, started=started))
    assert verdict.reason == "report.Rmd, line 3: it fails."


def test_what_does_not_work_today_is_said_to_be_so() -> None:
    verdict = judge(Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=BAD, today=BAD)))
    assert verdict.broken_today
    assert verdict.reason.startswith("It does not work today either")


def test_lines_to_change_are_in_the_action() -> None:
    verdict = judge(Findings(matched=TO, resolved=Resolved(plans=(EDITED,), reason="a==1 has no wheel.")))
    assert verdict.action == "Change requirements.txt: a==1 → a==2, and publish again."
    assert verdict.reason == "It needs newer packages: a 1 → 2 (a==1 has no wheel)."


def test_findings_survive_the_shelf() -> None:
    resolved = Resolved(plans=(EDITED, COMPILED), reason="r", package="p", lines=("l",))
    assert shelves.resolved(shelves.put(resolved)) == resolved
    assert shelves.built(shelves.put(BUILT)) == BUILT
    started = Started(then=BAD, today=FINE)
    assert shelves.started(shelves.put(started)) == started
    assert shelves.started(shelves.put(Started(then=FINE))) == Started(then=FINE)
    checked = Checked(remarks=(LINE, LATER), files=2)
    assert shelves.checked(shelves.put(checked)) == checked


def test_the_ladder() -> None:
    assert up_to(Step.match) == (Step.match,)
    assert up_to(Step.static) == tuple(Step)


def test_what_was_not_exercised_is_said() -> None:
    told = judge(Findings(matched=TO, resolved=SAME, built=BUILT, started=Started(then=UNRUN)))
    assert told.outcome is Outcome.safe
    assert "its server starts, but no session could be opened" in told.reason
    assert "No session could be opened to run its code." in told.notes
