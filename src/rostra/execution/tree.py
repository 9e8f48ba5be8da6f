"""A started program with everything it starts: signals, the end, and the certainty that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from rostra.execution import sandbox
from rostra.execution.cgroups import Cgroups, Group
from rostra.execution.launcher import Launch, LaunchFailed
from rostra.execution.sandbox import Descriptors, HostFacts
from rostra.execution.weights import Weight, larger, of_ended, weigh_at_end

READ_BYTES = 64 * 1024
STRAGGLER_SECONDS = 1.0  # how long the last output is waited for when a detached process holds the pipe
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Output:
    """Reads one pipe as fast as it fills, so that the child never waits for a reader."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._loop.add_reader(self._read, self._ready)

    def _ready(self) -> None:
        try:
            data = os.read(self._read, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._take(data)
        else:
            self._close()

    async def end(self) -> None:
        """Wait for the end of what is written, for a second at most, and close."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STRAGGLER_SECONDS):
                await self._ended.wait()
        self._close()

    def _close(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self._loop.remove_reader(self._read)
            os.close(self._read)


class Tree:
    """One launch that runs. With bubblewrap, ``init`` is process 1 of its namespace: when that ends, all of it has."""

    def __init__(self, process: subprocess.Popen[bytes], group: Group | None, sandboxed: bool) -> None:
        self.pid = process.pid
        self._process = process
        self._group = group
        self._sandboxed = sandboxed
        self._init: int | None = None
        self._stragglers: list[int] = []  # descriptors of what was killed besides the program
        self.took: Weight | None = None  # known once it has gone
        self._seen: Weight | None = None

    async def started(self, info: int) -> None:
        """Learn which process is the first inside, from what bubblewrap writes to ``info``."""
        said = await _first_object(info)
        pid = said.get("child-pid")
        self._init = pid if isinstance(pid, int) else None

    def look(self) -> None:
        """See what it takes. bubblewrap does not wait for its own, so what ends unseen in it is lost but for this."""
        self._seen = weigh_at_end(self.pid) or self._seen

    def terminate(self) -> None:
        """Ask the program to end. Only the program: what it started is its own business."""
        targets = _children(self._init) if self._init else [self.pid]
        for pid in targets:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """End all of it at once."""
        self.look()
        if self._init:
            # The kernel ends everything in the namespace before its first process is gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
            return
        stragglers = [descriptor for pid in _descendants(self.pid) if (descriptor := _pidfd(pid))]
        # The group first and parents before children: a shell whose command is killed goes on with its next one.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        for descriptor in stragglers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        self._stragglers += stragglers

    async def gone(self) -> int:
        """Wait until nothing is left and return the exit status; negative means killed by that signal."""
        init = _pidfd(self._init) if self._init else None
        self.took = larger(await _ended(self._process), self._seen)
        if not self._sandboxed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        for descriptor in (*([init] if init is not None else ()), *self._stragglers):
            await _readable(descriptor)
            os.close(descriptor)
        if self._group:
            await asyncio.to_thread(self._group.kill)
            self._group.remove()
        return self._code()

    def _code(self) -> int:
        code = self._process.returncode
        # bubblewrap reports a signal as shells do. A program that itself exits with such a number looks the same.
        return 128 - code if self._sandboxed and 128 < code <= 128 + 64 else code


async def spawn(
    launch: Launch, host: HostFacts, groups: Cgroups | None, output: Output, errors: Output | None = None
) -> Tree:
    """Start ``launch``; its output goes to ``output`` and, when given, its error stream to ``errors``.

    Raises:
        LaunchFailed: it could not be started; nothing is left.
    """
    streams = (output.write, (errors or output).write)
    try:
        process, group, info = _begin(launch, host, groups, streams)
    except (OSError, subprocess.SubprocessError) as why:
        raise LaunchFailed(f"cannot start {launch.argv[0]}: {why}") from why
    finally:
        for number in set(streams):
            os.close(number)
    tree = Tree(process, group, host.bwrap is not None)
    try:
        await tree.started(info)
    except asyncio.CancelledError:
        process.kill()
        await asyncio.shield(tree.gone())
        raise
    finally:
        os.close(info)
    return tree


def _begin(
    launch: Launch, host: HostFacts, groups: Cgroups | None, streams: tuple[int, int]
) -> tuple[subprocess.Popen[bytes], Group | None, int]:
    files = _identity_files(launch, host)
    info_read, info_write = os.pipe()
    descriptors = Descriptors(info_write, *files)
    group: Group | None = None
    try:
        group = groups.make(launch.key, launch.memory_bytes, launch.cpus) if groups else None
        return _popen(launch, host, descriptors, group, streams), group, info_read
    except BaseException:
        os.close(info_read)
        if group:
            group.remove()
        raise
    finally:
        for number in descriptors:
            os.close(number)


def _popen(
    launch: Launch, host: HostFacts, descriptors: Descriptors, group: Group | None, streams: tuple[int, int]
) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def prepare() -> None:
        # Between fork and exec. After `kill -9` of the launcher nothing may go on running.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(125)
        if group:
            group.join()

    return subprocess.Popen(
        sandbox.command(launch, host, descriptors if host.bwrap else None),
        cwd="/" if host.bwrap else launch.cwd,
        env=sandbox.environment(launch, host),
        stdin=subprocess.DEVNULL,
        stdout=streams[0],
        stderr=streams[1],
        pass_fds=descriptors if host.bwrap else (),
        preexec_fn=prepare,  # noqa: PLW1509 - two system calls, no allocation that could wait for a lock
        start_new_session=True,
    )


def _identity_files(launch: Launch, host: HostFacts) -> tuple[int, int]:
    uid, gid = sandbox.identity(launch, host)
    return _pipe_with(sandbox.passwd(uid, gid)), _pipe_with(sandbox.group(gid))


def _pipe_with(text: str) -> int:
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return read


async def _first_object(descriptor: int) -> dict[str, object]:
    os.set_blocking(descriptor, False)
    said = b""
    while True:
        await _readable(descriptor)
        part = os.read(descriptor, 4096)
        said += part
        with contextlib.suppress(ValueError):
            found = json.loads(said)
            return found if isinstance(found, dict) else {}
        if not part:
            return {}


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # gone already, or a kernel before 5.3


async def _ended(process: subprocess.Popen[bytes]) -> Weight | None:
    """Wait for its end and return what it took with all that it, or the sandbox around it, has waited for."""
    descriptor = _pidfd(process.pid)
    if descriptor is None:
        return await asyncio.to_thread(_reap, process)
    try:
        await _readable(descriptor)
    finally:
        os.close(descriptor)
    return _reap(process)


def _reap(process: subprocess.Popen[bytes]) -> Weight | None:
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except ChildProcessError:  # a signal was to be sent, and it was found to have ended
        process.wait()
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    return of_ended(usage)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return [child for child, parent in _parents() if parent == pid]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found += _children(parent)
    return found[1:]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = (folder / "stat").read_text()
            yield int(folder.name), int(stat.rpartition(")")[2].split()[1])
