"""The seam between building an environment and running somebody else's programs, and its plain implementation."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from rostra.environments.errors import ShellFailed

LINE_LENGTH = 4_000  # characters of one line; the rest of it is left out
OUTPUT_LENGTH = 8_000_000  # characters of all lines of one run
_DRAIN_SECONDS = 2.0  # how long output is waited for once the program has ended


class BuildShell(Protocol):
    """Runs one program, shows it only what it needs, and leaves nothing of it behind.

    1. ``run`` returns the exit status; negative means killed by that signal.
    2. The program sees ``env`` and nothing else of this process's variables.
    3. It can read ``readable`` and the operating system's own folders, and write only below ``writable``. An
       implementation that cannot promise this says so when the server starts.
    4. ``on_line`` gets each line of stdout and stderr, in order, without its end, undecodable bytes replaced, bounded
       in length and number.
    5. When ``timeout`` passes or the caller is cancelled the whole tree is ended before ``run`` returns or raises;
       a timeout raises ``TimeoutError``.
    6. A program that cannot be started raises ``ShellFailed``.
    7. Several may run at once.
    """

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],
        writable: Sequence[Path],
        network: bool,
        timeout: timedelta,
        on_line: Callable[[str], None],
    ) -> int: ...


class PlainShell:
    """Runs programs as the server's own user, each in its own session. Hides nothing: ``readable``, ``writable`` and
    ``network`` are not enforced, and a program that leaves its session survives."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],  # noqa: ARG002
        writable: Sequence[Path],  # noqa: ARG002
        network: bool,  # noqa: ARG002
        timeout: timedelta,
        on_line: Callable[[str], None],
    ) -> int:
        async with _output(on_line) as pipe:
            child = await _start(argv, env, cwd, pipe)
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    return await child.wait()
            finally:
                _kill_session(child.pid)  # stragglers too, even when the leader left politely
                await asyncio.shield(child.wait())


async def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, pipe: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
    except (OSError, ValueError) as why:
        raise ShellFailed(f"{argv[0]} cannot be started: {why}", hint="Is it installed and executable?") from why
    finally:
        os.close(pipe)


@contextlib.asynccontextmanager
async def _output(on_line: Callable[[str], None]) -> AsyncIterator[int]:
    """Give the writing end of a pipe whose lines are heard until its last holder has gone, or a little longer than us.

    The pipe is our own because a process's exit is otherwise only seen once nobody holds its output any more.
    """
    reading, writing = os.pipe()
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
    )
    reader = asyncio.ensure_future(read_lines(stream, on_line))
    try:
        yield writing
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader, _DRAIN_SECONDS)  # someone who left the session may hold the pipe
    finally:
        reader.cancel()
        transport.close()
        with contextlib.suppress(asyncio.CancelledError):
            await reader


def _kill_session(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


async def read_lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    """Hand the stream to ``on_line``, line by line and bounded, until it ends. A carriage return ends a line too."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    lines = _Lines(on_line)
    while data := await stream.read(65_536):
        lines.feed(decoder.decode(data))
    lines.feed(decoder.decode(b"", final=True))
    lines.close()


class _Lines:
    """Cuts text into lines; memory is bounded however long a line or the whole is."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line, self._held, self._said = on_line, "", 0

    def feed(self, text: str) -> None:
        *whole, rest = (self._held + text.replace("\r", "\n")).split("\n")
        for line in whole:
            self._say(line)
        self._held = rest[: LINE_LENGTH + 1]  # one more, so that the cut is seen

    def close(self) -> None:
        self._say(self._held)

    def _say(self, line: str) -> None:
        if not line.strip() or self._said > OUTPUT_LENGTH:
            return
        self._said += len(line) + 1
        if self._said > OUTPUT_LENGTH:
            self._on_line("(the rest of the output is left out)")
        else:
            self._on_line(line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + " ...")
