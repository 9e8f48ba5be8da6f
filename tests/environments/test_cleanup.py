"""What may be removed: a table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from support.moments import NOON

from rostra.environments.cleanup import Known, State, UsedBy, reapable, standings
from rostra.environments.inventory import Found, Sort

LIVE, KEPT = UsedBy("g1", "Sales", True), UsedBy("g2", "Old", False)


def found(*, days: float = 100, sort: Sort = Sort.environment, identity: str = "here") -> Found:
    return Found(
        sort=sort,
        key="k",
        path=Path("/e/k"),
        python="3.11.7",
        executable=Path("/p"),
        identity=identity,
        installer="uv",
        packages=1,
        created_at=NOON - dt.timedelta(days=days),
    )


def known(*items: UsedBy, used_days: float | None = None, running: int = 0) -> Known:
    used_at = {} if used_days is None else {"k": NOON - dt.timedelta(days=used_days)}
    return Known(
        interpreters={"here"},
        retired={"retired"},
        items={"k": items} if items else {},
        used_at=used_at,
        running={"k": running},
    )


@pytest.mark.parametrize(
    ("what", "facts", "state", "goes", "why"),
    [
        (found(), known(LIVE), "ready", False, "a live bundle needs it"),
        (found(), known(KEPT), "ready", False, "a kept bundle can be made live at once"),
        (found(), known(), "orphan", True, "nobody needs it, and it is old"),
        (found(), known(used_days=5), "orphan", False, "nobody needs it, but it was used five days ago"),
        (found(days=5), known(), "orphan", False, "built five days ago"),
        (found(days=5), known(used_days=50), "orphan", False, "a row older than the folder says nothing"),
        (found(), known(running=1), "orphan", False, "a process runs in it"),
        (found(identity="gone"), known(LIVE), "interpreter gone", False, "it would serve again with its interpreter"),
        (found(identity="gone"), known(KEPT), "interpreter gone", True, "an old bundle whose interpreter is gone"),
        (found(identity="gone"), known(KEPT, running=1), "interpreter gone", False, "still running"),
        (found(identity="retired"), known(LIVE), "interpreter retired", False, "that may be taken back"),
        (found(identity="retired"), known(KEPT), "interpreter retired", True, "an old bundle of a retired interpreter"),
        (found(identity="gone"), known(), "orphan", True, "nobody would miss it, whatever it was for"),
        (found(sort=Sort.overlay), known(), "ready", False, "an overlay belongs to its interpreter"),
        (found(sort=Sort.overlay, identity="gone"), known(), "interpreter gone", True, "which is gone"),
    ],
)
def test_what_may_go_after_thirty_days(what: Found, facts: Known, state: str, goes: bool, why: str) -> None:
    rows = standings([what], facts)
    assert rows[0].state is State(state), why
    assert bool(reapable(rows, unused_for=dt.timedelta(days=30), now=NOON)) is goes, why


@pytest.mark.parametrize(("identity", "state"), [("here", "ready"), ("gone", "interpreter gone")])
def test_without_records_nothing_is_an_orphan(identity: str, state: str) -> None:
    facts = Known(interpreters={"here"}, items=None, used_at={}, running={})
    assert standings([found(identity=identity)], facts)[0].state is State(state)


def test_what_was_used_just_now_stays_whatever_is_asked() -> None:
    rows = standings([found(days=0.01)], known())
    assert reapable(rows, unused_for=dt.timedelta(0), now=NOON) == []
    assert reapable(rows, unused_for=dt.timedelta(0), now=NOON + dt.timedelta(hours=3)) == rows
