"""What is on disk, what it weighs, and when it was used: with real folders, and rows on both databases."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from support.build_shell import runtime_of
from support.moments import NOON, MovedClock

from rostra.db.engine import Sessions, transaction
from rostra.environments import inventory_rows, record
from rostra.environments.inventory import Sort, Weight, scan, weigh
from rostra.environments.inventory_rows import WRITTEN_EVERY, Uses
from rostra.environments.record import Ready
from rostra.environments.spec import Environment, Package

pytestmark = pytest.mark.anyio


def shelve(data: Path, key: str, *, version: str = "3.11.7", place: str = "environments/python") -> Ready:
    """Put a ready environment on disk, as far as its record goes."""
    root = data / place / version / key
    root.mkdir(parents=True)
    runtime = runtime_of(version=version)
    packages = (Package("a", "1"),)
    environment = Environment(
        key=key,
        runtime=runtime,
        python=root / "bin/python",
        root=root,
        lock="a==1\n",
        packages=packages,
        installer="uv",
    )
    ready = Ready(environment, NOON, 10)
    (root / record.FILE).write_text(record.write_text(ready))
    return ready


def test_everything_ready_is_found(tmp_path: Path) -> None:
    shelve(tmp_path, "b")
    shelve(tmp_path, "a", version="3.9.18")
    shelve(tmp_path, "o", place="overlays")
    (tmp_path / "environments/python/3.11.7/.scratch-x").mkdir()
    (tmp_path / "environments/python/3.11.7/half").mkdir()
    found = scan(tmp_path)
    assert [(each.sort, each.python, each.key) for each in found] == [
        (Sort.environment, "3.11.7", "b"),
        (Sort.environment, "3.9.18", "a"),
        (Sort.overlay, "3.11.7", "o"),
    ]
    assert (found[0].packages, found[0].installer) == (1, "uv")


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert scan(tmp_path) == []


def test_weight_tells_own_from_shared(tmp_path: Path) -> None:
    env, cache = tmp_path / "env", tmp_path / "cache"
    (env / "deep").mkdir(parents=True)
    cache.mkdir()
    (env / "own").write_bytes(b"x" * 100)
    (cache / "wheel").write_bytes(b"x" * 30)
    os.link(cache / "wheel", env / "deep" / "linked")
    (env / "twice").write_bytes(b"x" * 7)
    os.link(env / "twice", env / "deep" / "again")
    (env / "away").symlink_to(cache / "wheel")
    assert weigh(env) == Weight(own=107, shared=30)


def test_weighing_what_is_gone_is_nothing(tmp_path: Path) -> None:
    assert weigh(tmp_path / "gone") == Weight(0, 0)


def test_a_busy_environment_is_not_written_down_each_time() -> None:
    clock, uses = MovedClock(), Uses()
    assert uses.note("a", clock.now())
    assert not uses.note("a", clock.move(minutes=1))
    assert uses.since("a") == clock.now(), "but known at once"
    assert uses.note("b", clock.now())
    assert uses.note("a", clock.move(seconds=WRITTEN_EVERY.total_seconds()))
    uses.forget("a")
    assert uses.since("a") is None


async def test_the_first_use_makes_the_row_and_later_ones_move_it(sessions: Sessions, tmp_path: Path) -> None:
    ready = shelve(tmp_path, "a")
    for hours in (0, 5):
        async with transaction(sessions) as session:
            await inventory_rows.used(session, ready.environment, tmp_path, NOON + dt.timedelta(hours=hours))
    async with transaction(sessions) as session:
        assert await inventory_rows.last_uses(session) == {"a": NOON + dt.timedelta(hours=5)}


async def test_rows_follow_folders(sessions: Sessions, tmp_path: Path) -> None:
    gone, kept, new = (shelve(tmp_path, key) for key in ("gone", "kept", "new"))
    async with transaction(sessions) as session:
        for ready in (gone, kept):
            await inventory_rows.used(session, ready.environment, tmp_path, NOON)
    later = NOON + dt.timedelta(days=1)
    async with transaction(sessions) as session:
        await inventory_rows.reconcile(session, [kept, new], tmp_path, later)
    async with transaction(sessions) as session:
        assert await inventory_rows.last_uses(session) == {"kept": NOON, "new": later}
        await inventory_rows.forget(session, ["kept"])
        assert await inventory_rows.last_uses(session) == {"new": later}


async def test_an_interpreter_used_as_it_stands_has_no_row(sessions: Sessions, tmp_path: Path) -> None:
    runtime = runtime_of()
    plain = Environment(key="unmanaged", runtime=runtime, python=runtime.executable, root=None, lock="")
    async with transaction(sessions) as session:
        await inventory_rows.used(session, plain, tmp_path, NOON)
        assert await inventory_rows.last_uses(session) == {}
