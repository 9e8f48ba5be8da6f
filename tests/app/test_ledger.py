"""Removing environments: only what is unneeded, and not what came into use a moment ago."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from environments.test_inventory import shelve
from support.build_shell import FakeShell, runtime_of
from support.moments import NOON, MovedClock

from rostra.app.environment_work import reap
from rostra.app.ledger import Ledger, running_in
from rostra.db.engine import Sessions, transaction
from rostra.environments import inventory_rows
from rostra.environments.inventory import Sort
from rostra.environments.site import Tools
from rostra.environments.store import Store
from rostra.execution.launcher import Running
from rostra.ids import ProcessKey

pytestmark = pytest.mark.anyio
MONTH = dt.timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Tools(shell=FakeShell(), data_dir=tmp_path, uv=Path("/bin/uv")))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOON + dt.timedelta(days=40))


@pytest.fixture
def ledger(sessions: Sessions, tmp_path: Path, clock: MovedClock) -> Ledger:
    return Ledger(sessions, tmp_path, clock)


async def test_what_nobody_needs_goes_with_its_row(
    ledger: Ledger, store: Store, sessions: Sessions, tmp_path: Path
) -> None:
    ready = shelve(tmp_path, "a")
    async with transaction(sessions) as session:
        await inventory_rows.used(session, ready.environment, tmp_path, NOON)
    rows = await ledger.unneeded([runtime_of()], {}, MONTH)
    said: list[str] = []
    told = await reap(rows, {Sort.environment: store}, ledger, MONTH, said.append, dry_run=True)
    assert told["data"]["removed"] == 1
    assert store.get("a") is not None
    told = await reap(rows, {Sort.environment: store}, ledger, MONTH, said.append, dry_run=False)
    assert told["data"]["removed"] == 1
    assert store.get("a") is None
    assert list(tmp_path.rglob(".scratch-*")) == []
    async with transaction(sessions) as session:
        assert await inventory_rows.last_uses(session) == {}
    assert [line.split(" of ")[0] for line in said if " a of " in line] == [
        "Would remove environment a",
        "Removed environment a",
    ]
    assert await ledger.remove(rows[0], store, MONTH) is False, "gone already"


async def test_what_comes_into_use_meanwhile_stays(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    ready = shelve(tmp_path, "a")
    rows = await ledger.unneeded([runtime_of()], {}, MONTH)
    assert [row.found.key for row in rows] == ["a"]
    await ledger.used(ready.environment)
    assert await ledger.remove(rows[0], store, MONTH) is False
    assert store.get("a") is not None


async def test_what_something_runs_in_stays(ledger: Ledger, tmp_path: Path) -> None:
    shelve(tmp_path, "a")
    process = Running(ProcessKey("p"), 1, tmp_path / "s", {"environment": "a"})
    plain = Running(ProcessKey("q"), 2, tmp_path / "s", {})
    assert running_in([process, process, plain]) == {"a": 2}
    assert await ledger.unneeded([runtime_of()], running_in([process]), MONTH) == []


async def test_what_this_process_used_before_the_row_was_due_is_known(
    ledger: Ledger, clock: MovedClock, store: Store, tmp_path: Path
) -> None:
    ready = shelve(tmp_path, "a")
    await ledger.used(ready.environment)
    clock.move(days=31)
    rows = await ledger.unneeded([runtime_of()], {}, MONTH)
    clock.move(minutes=-9)  # within the time in which no second row is written
    await ledger.used(ready.environment)
    assert await ledger.remove(rows[0], store, MONTH) is False
