"""The log and the record of a deploy's job, beside the task's own output."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from rostra.app import doing
from rostra.content import job_records
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.execution.logs import LogFile
from rostra.jobs import queue
from rostra.jobs.output import TaskLog
from rostra.jobs.worker import understandable

KILLED = -9  # as a process that was ended by that signal


class JobLog:
    """Use as ``async with``: leaving the block completes the record, unless the work is only interrupted.

    An orderly stop cancels the block; the task then begins again at the next start, with this same job.
    """

    def __init__(self, tools: Tools, guid: str, key: str, output: TaskLog, *, quiet: bool = False) -> None:
        """``quiet``: the task's own output says nothing."""
        self._quiet = quiet
        self._tools, self._key, self._output = tools, key, output
        self._log = LogFile(tools.places.log(guid, key), tools.settings().applications.job_log_size, tools.clock)

    def say(self, text: str) -> None:
        """Add a line to the task's output and to the job's log."""
        if not self._quiet:
            self._output.say(text)
        self._log.feed("out", text.encode(errors="replace") + b"\n")

    async def __aenter__(self) -> Self:
        self._block = doing.job(self._key)
        self._block.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block.__exit__(None, None, None)
        problem: Problem | None = understandable(why) if why else None
        stopped = await self._stopped() if isinstance(why, asyncio.CancelledError) else None
        if problem or stopped:
            self._log.say(str(problem or stopped))
        self._log.close()
        if stopped:
            async with transaction(self._tools.sessions) as session:
                await job_records.end(session, self._key, self._tools.clock.now(), exit_code=KILLED, error=stopped)
        if isinstance(why, asyncio.CancelledError):
            return
        error = None if why is None else str(problem or "Something went wrong inside the server.")
        async with transaction(self._tools.sessions) as session:
            now = self._tools.clock.now()
            await job_records.end(session, self._key, now, exit_code=1 if why else 0, error=error)

    async def _stopped(self) -> str | None:
        async with transaction(self._tools.reading) as session:
            return await queue.stop_asked(session, self._output.work.id)
