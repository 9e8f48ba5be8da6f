"""Ask one program the interview question: one spawn, bounded in time and output, and nothing left running after it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from rostra.runtimes.interview import LONGEST_ANSWER, QUESTION

# -E -s and the question's first line amount to -I, which Python 2.7 does not have; -B: a probe writes nothing.
_FLAGS = ("-E", "-s", "-B", "-c", QUESTION)
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TERM": "dumb"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of it. ``code`` is None when the time ran out; negative when a signal ended it."""

    code: int | None
    output: bytes
    complaint: bytes
    overflow: bool = False


class _TooMuch(Exception):
    pass


async def ask(
    executable: Path, timeout: dt.timedelta, *, words: Sequence[str] = _FLAGS, most: int = LONGEST_ANSWER
) -> Spoken:
    """Run ``executable`` with the question: ``words`` are its arguments, ``most`` the bytes it may answer.

    Raises:
        OSError: it cannot be started.
    """
    async with _started(executable, words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(timeout.total_seconds()), asyncio.TaskGroup() as both:
                output = both.create_task(_at_most(process.stdout, most))
                complaint = both.create_task(_at_most(process.stderr, LONGEST_ANSWER))
                code = both.create_task(process.wait())
        except TimeoutError:
            return Spoken(None, b"", b"")
        except BaseExceptionGroup as group:
            if group.subgroup(_TooMuch) is None:
                raise
            return Spoken(None, b"", b"", overflow=True)
    return Spoken(code.result(), output.result(), complaint.result())


@contextlib.asynccontextmanager
async def _started(executable: Path, words: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        executable,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,  # its own process group, so that all of it can be ended
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await _reap(process)


async def _reap(process: asyncio.subprocess.Process) -> None:
    # A stray that left the group may hold the pipes, and what was not read fills them; both would keep us waiting.
    process._transport.close()  # type: ignore[attr-defined]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.wait()


async def _at_most(stream: asyncio.StreamReader, limit: int) -> bytes:
    parts, length = [], 0
    while part := await stream.read(16_384):
        length += len(part)
        if length > limit:
            raise _TooMuch
        parts.append(part)
    return b"".join(parts)
