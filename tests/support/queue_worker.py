"""A real worker process for crash tests: does tasks of kind ``mark``, and can die at a chosen point.

``python queue_worker.py FOLDER [POINT]`` with the database in FOLDER. For each attempt at a task it appends to
``FOLDER/diary`` and holds a lock on ``FOLDER/{subject}`` so that two at the same time are noticed. POINT is where it
kills itself: claimed, begun, said, done, finishing, finished; or empty. Ends by itself when nothing is left to do.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rostra.clock import SystemClock
from rostra.config.sections import Server, Settings
from rostra.db.engine import open_engine, reading_factory, session_factory, transaction
from rostra.jobs import queue
from rostra.jobs.node import only_one
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tables import Task
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Workers


def die_at(here: str, point: str) -> None:
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)


def note(folder: Path, line: str) -> None:
    with (folder / "diary").open("a") as diary:
        diary.write(line + "\n")


async def main(folder: Path, point: str) -> None:
    engine = open_engine(Settings(server=Server(data_dir=folder)))
    tasks = Tasks(session_factory(engine), reading_factory(engine), SystemClock())

    async def mark(work: Work, log: TaskLog) -> dict[str, Any]:
        handle = os.open(folder / str(work.subject), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(folder, f"OVERLAP {work.id}")
        note(folder, f"begin {work.id} {work.attempt}")
        die_at("begun", point)
        log.say(f"attempt {work.attempt}")
        await asyncio.sleep(0.15)
        die_at("said", point)
        note(folder, f"done {work.id}")
        os.close(handle)
        die_at("done", point)
        return {"type": "n", "data": work.payload["n"]}

    kept_claim, kept_finish = queue.claim, queue.finish

    async def claim(session: Any, **more: Any) -> Work | None:
        work = await kept_claim(session, **more)
        if work is not None and point == "claimed":
            await session.commit()
            die_at("claimed", point)
        return work

    async def finish(session: Any, *more: Any) -> bool:
        kept = await kept_finish(session, *more)
        die_at("finishing", point)
        if point == "finished":
            await session.commit()
            die_at("finished", point)
        return kept

    queue.claim, queue.finish = claim, finish  # type: ignore[assignment]
    workers = Workers(tasks, {"mark": mark}, node="node", count=3, lease=dt.timedelta(seconds=30), idle_seconds=0.05)
    async with only_one(folder / "lock"), asyncio.TaskGroup() as group:
        running = group.create_task(workers.run())
        left = sa.select(sa.func.count()).select_from(Task).where(Task.finished_at.is_(None))
        while True:
            async with transaction(tasks.reading) as session:
                if not (await session.execute(left)).scalar_one():
                    break
            await asyncio.sleep(0.05)
        running.cancel()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
