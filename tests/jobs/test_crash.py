"""Real worker processes, killed with SIGKILL: nothing is lost, nothing runs twice at the same time."""

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from support import queue_worker
from support.database import sqlite_settings

from rostra.clock import SystemClock
from rostra.db.engine import open_engine, reading_factory, session_factory, transaction
from rostra.jobs.tables import Task
from rostra.jobs.tasks import Tasks

pytestmark = pytest.mark.fault
PROGRAM = str(Path(queue_worker.__file__))


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    shutil.copy(sqlite_template, tmp_path / "rostra.db")
    return tmp_path


def fill(folder: Path, count: int, subjects: int) -> list[str]:
    async def add() -> list[str]:
        engine = open_engine(sqlite_settings(folder))
        tasks = Tasks(session_factory(engine), reading_factory(engine), SystemClock())
        async with transaction(tasks.sessions) as session:
            made = [await tasks.enqueue(session, "mark", {"n": n}, subject=f"item{n % subjects}") for n in range(count)]
        await engine.dispose()
        return list(made)

    return asyncio.run(add())


def rows(folder: Path) -> list[Task]:
    async def read() -> list[Task]:
        engine = open_engine(sqlite_settings(folder))
        async with transaction(reading_factory(engine)) as session:
            found = list((await session.execute(sa.select(Task).order_by(Task.created_at))).scalars())
        await engine.dispose()
        return found

    return asyncio.run(read())


def work(folder: Path, point: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, PROGRAM, str(folder), point], stdout=subprocess.DEVNULL)


def diary(folder: Path) -> list[str]:
    path = folder / "diary"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("point", ["claimed", "begun", "said", "done", "finishing", "finished"])
def test_a_killed_worker_s_task_is_done_after_the_restart(folder: Path, point: str) -> None:
    made = fill(folder, 4, subjects=2)
    assert work(folder, point).wait(30) == -9
    assert work(folder).wait(30) == 0
    finished = rows(folder)
    assert {row.id for row in finished} == set(made)
    assert all(row.finished_at is not None and row.exit_code == 0 for row in finished)
    assert not [line for line in diary(folder) if line.startswith("OVERLAP")]
    assert {line.split()[1] for line in diary(folder) if line.startswith("done")} == set(made)


def test_kills_at_random_moments_lose_nothing(folder: Path) -> None:
    made = fill(folder, 12, subjects=4)
    dice = random.Random(7)
    for _ in range(4):
        process = work(folder)
        time.sleep(0.5 + dice.random() * 0.6)
        process.kill()
        process.wait(10)
    assert work(folder).wait(60) == 0
    assert not [line for line in diary(folder) if line.startswith("OVERLAP")]
    finished = rows(folder)
    assert {row.id for row in finished} == set(made)
    given_up = [row for row in finished if row.exit_code]
    assert all("not tried again" in row.error for row in given_up)
    begun = Counter(line.split()[1] for line in diary(folder) if line.startswith("begin"))
    assert max(begun.values()) <= 3


def test_a_second_server_waits_until_the_first_is_gone(folder: Path) -> None:
    fill(folder, 10, subjects=3)
    both = [work(folder), work(folder)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert not [line for line in diary(folder) if line.startswith("OVERLAP")]
    assert all(row.attempts == 1 and row.exit_code == 0 for row in rows(folder))
