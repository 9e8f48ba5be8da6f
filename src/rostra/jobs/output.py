"""What a task says while it works: lines in the database, written in batches, without secrets and of bounded length."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.db.engine import Sessions, transaction
from rostra.errors import Conflict
from rostra.jobs import queue
from rostra.jobs.bell import Bell, woken_within
from rostra.jobs.queue import Work
from rostra.jobs.tables import TaskLine

log = structlog.get_logger()

BATCH_SECONDS = 0.1
RETRY_SECONDS = 1.0
MOST_LINES = 20_000
LONGEST_LINE = 4_000  # characters
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^\s/@]+(?=@)")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class LeaseLost(Conflict):
    """The task was given to somebody else while this worker was silent; it must stop."""

    code = "lease-lost"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"task {task_id} is being done by another worker", hint="Read the other worker's output.")


def presentable(text: str, secrets: Iterable[str] = ()) -> list[str]:
    """Return ``text`` as lines fit to store and show: no secrets, no passwords in URLs, nothing a database refuses.

    An installer's progress that overwrites itself with carriage returns becomes its last state.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", _PASSWORD_IN_URL.sub("***", text))
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return [line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…" for line in lines]


class TaskLog:
    """The output of one attempt at one task. ``say`` from the event loop's thread only."""

    def __init__(self, work: Work, sessions: Sessions, bell: Bell) -> None:
        self.work = work
        self._sessions, self._bell = sessions, bell
        self._secrets: tuple[str, ...] = ()
        self._next = 0
        self._waiting: list[str] = []
        self._any, self._closing = asyncio.Event(), asyncio.Event()

    def continue_after(self, lines: int) -> None:
        """Begin at number ``lines``: earlier attempts wrote that many."""
        self._next = lines

    def hide(self, *secrets: str) -> None:
        """From here on show ``***`` in place of these."""
        self._secrets += secrets

    def say(self, text: str) -> None:
        """Add ``text``, split into lines. It is stored, and seen by those who wait, within a tenth of a second."""
        for line in presentable(text.removesuffix("\n"), self._secrets):
            number = self._next + len(self._waiting)
            if number < MOST_LINES:
                self._waiting.append(line)
            elif number == MOST_LINES:
                self._waiting.append(f"(Further output is not kept: {MOST_LINES} lines are.)")
        self._any.set()

    async def flush(self) -> None:
        """Store what waits; after a failure, or a success that was not heard of, again.

        Raises:
            LeaseLost
        """
        batch = list(self._waiting)
        if not batch:
            return
        async with transaction(self._sessions) as session:
            if not await queue.owns(session, self.work):
                raise LeaseLost(self.work.id)
            stored = await count_lines(session, self.work.id) - self._next
            await add_lines(session, self.work.id, self._next + stored, batch[stored:])
        self._next += len(batch)
        del self._waiting[: len(batch)]
        self._bell.ring(self.work.id)

    async def write(self) -> None:
        """Store what is said, in batches, until ``close``; a database that cannot be reached is tried again."""
        while not self._closing.is_set():
            await self._any.wait()
            self._any.clear()
            await woken_within(self._closing, BATCH_SECONDS)  # what is said meanwhile goes with it
            try:
                await self.flush()
            except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
                log.warning("task output could not be stored; trying again", task=self.work.id, why=str(why.orig))
                self._any.set()
                await woken_within(self._closing, RETRY_SECONDS)

    def close(self) -> None:
        """Let ``write`` return."""
        self._closing.set()
        self._any.set()


async def add_lines(session: AsyncSession, task_id: str, first: int, lines: Iterable[str]) -> None:
    rows = [{"task_id": task_id, "number": number, "text": line} for number, line in enumerate(lines, first)]
    if rows:
        await session.execute(sa.insert(TaskLine), rows)


async def count_lines(session: AsyncSession, task_id: str) -> int:
    last = sa.select(sa.func.max(TaskLine.number)).where(TaskLine.task_id == task_id)
    number = (await session.execute(last)).scalar_one()
    return 0 if number is None else int(number) + 1
