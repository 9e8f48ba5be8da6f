"""One kernel in the content's own interpreter, reached over sockets in a private folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file

from rostra.execution.weights import Weight, weigh_at_end
from rostra.rendering.kernel_command import CONNECTION_FILE
from rostra.rendering.processes import adopt_orphans, die_with_parent, end_descendants, to_the_end
from rostra.rendering.tracebacks import plain

_TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelStart:
    """``argv`` is wrapped already. ``user`` is given the connection folder, so that the kernel can bind there."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    connection_dir: Path
    timeout_seconds: float
    user: tuple[int, int] | None = None


class KernelLost(Exception):
    """The kernel did not start, or ended by itself. ``lines`` are the last it wrote."""

    def __init__(self, message: str, lines: Sequence[str]) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


class _Client(AsyncKernelClient):
    """Believes the process rather than the heartbeat, which also falls silent on a busy machine."""

    process: asyncio.subprocess.Process | None = None

    async def _async_is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    is_alive = _async_is_alive


@dataclass(slots=True)
class Kernel:
    """A kernel that answered. ``language_info`` is its own word; ``took`` is known once it has been ended."""

    client: AsyncKernelClient
    process: asyncio.subprocess.Process
    language_info: dict[str, object] = field(default_factory=dict)
    tail: bytearray = field(default_factory=bytearray)
    took: Weight | None = None

    def last_lines(self, most: int = 15) -> tuple[str, ...]:
        greeting, found, rest = plain(self.tail.decode("utf-8", "replace")).partition("--existing ")
        text = rest.partition("\n")[2] if found else greeting  # every kernel begins with advice on connecting to it
        return tuple(line[:500] for line in text.splitlines() if line.strip())[-most:]


@contextlib.asynccontextmanager
async def kernel(start: KernelStart) -> AsyncIterator[Kernel]:
    """Start a kernel and give it once it answers; at the end nothing it ever started is left.

    Raises:
        KernelLost: it ended, or did not answer within ``timeout_seconds``.
    """
    adopt_orphans()
    client = _client(start)
    process = await _spawn(start)
    client.process = process
    found = Kernel(client, process)
    reading = asyncio.create_task(_keep_tail(process, found.tail))
    try:
        await _until_ready(found, reading, start.timeout_seconds)
        yield found
    finally:
        client.stop_channels()
        found.took = await to_the_end(weigh_at_end, process.pid)
        await to_the_end(end_descendants, os.getpid())
        await process.wait()
        await reading  # ends with the pipe, and nobody holds that any more


async def _spawn(start: KernelStart) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *start.argv,
            cwd=start.cwd,
            env=dict(start.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
    except OSError as why:
        raise KernelLost(f"the kernel could not be started: {why.strerror}", ()) from why


def _client(start: KernelStart) -> _Client:
    folder = start.connection_dir
    (folder / "home").mkdir(mode=0o700)
    file, _ = write_connection_file(
        str(folder / CONNECTION_FILE),
        transport="ipc",
        ip=str(folder / "k"),
        key=secrets.token_hex(32).encode(),
        kernel_name="python",
    )
    if start.user is not None:
        for path in (folder, folder / "home", Path(file)):
            os.chown(path, *start.user)
    client = _Client(connection_file=file)
    client.load_connection_file()
    client.allow_stdin = False
    return client


async def _keep_tail(process: asyncio.subprocess.Process, tail: bytearray) -> None:
    assert process.stdout is not None
    while piece := await process.stdout.read(65_536):
        tail += piece
        del tail[:-_TAIL_BYTES]


async def _until_ready(found: Kernel, reading: asyncio.Task[None], timeout_seconds: float) -> None:
    found.client.start_channels(hb=False)
    ready = asyncio.ensure_future(found.client.wait_for_ready(timeout=timeout_seconds))
    ended = asyncio.ensure_future(found.process.wait())
    try:
        await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await asyncio.wait((reading,), timeout=1)  # what was written last says why
            raise KernelLost(f"the kernel ended with status {ended.result()} instead of starting", found.last_lines())
        why = ready.exception()
        if why is not None:
            raise KernelLost(f"the kernel did not answer: {why}", found.last_lines())
        found.language_info = await _language_info(found.client)
    finally:
        for task in (ready, ended):
            task.cancel()
        await asyncio.gather(ready, ended, return_exceptions=True)


async def _language_info(client: AsyncKernelClient) -> dict[str, object]:
    reply = await client.kernel_info(reply=True, timeout=10)
    info = reply["content"].get("language_info", {})
    return dict(info) if isinstance(info, dict) else {}
