"""Starts renderers, the processes that make one page each: forked from a warm parent, or else anew."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import structlog

from rostra.rendering.warm_parent_words import BYE, FORK, READY

log = structlog.get_logger()

LONGEST_MESSAGE = 1_048_576
NICE = 5  # content that people use goes first when the processors are busy
IDLE_SECONDS = 900.0  # how long a parent waits for the next document before it gives its memory back
WARMING_SECONDS, FORKING_SECONDS, LEAVING_SECONDS = 60.0, 5.0, 5.0
PAUSE_SECONDS = 600.0  # after a parent that did not start


class Renderer(Protocol):
    """One process: takes lines of JSON, gives lines of JSON, and its errors apart."""

    pid: int

    def tell(self, line: bytes) -> None: ...

    @property
    def said(self) -> asyncio.StreamReader: ...

    @property
    def errors(self) -> asyncio.StreamReader: ...

    @property
    def ended(self) -> bool: ...

    async def wait(self) -> None:
        """Return once it has ended, and let go of what leads to it."""


class Renderers(Protocol):
    async def start(self) -> Renderer: ...


class PlainRenderers:
    """Each a new interpreter. Always right."""

    def __init__(self, nice: int = 0) -> None:
        self._nice = nice

    async def start(self) -> Renderer:
        process = await asyncio.create_subprocess_exec(
            *_argv("rostra.rendering.notebook_job", self._nice),
            cwd="/",
            env=_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_MESSAGE,
            start_new_session=True,
        )
        return _Started(process)


def _argv(module: str, nice: int) -> tuple[str, ...]:
    politely = ("nice", "-n", str(nice)) if nice else ()
    return (*politely, sys.executable, "-P", "-m", module)


def _environment() -> dict[str, str]:
    # Nothing of the server's own environment: what the renderer does not know it cannot give away.
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "JUPYTER_NO_CONFIG": "1",
        "HOME": "/nonexistent",
    }


class _Started:
    """`Renderer` over a process of ours."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process, self._input = process, process.stdin
        self.pid, self.said, self.errors = process.pid, process.stdout, process.stderr

    def tell(self, line: bytes) -> None:
        self._input.write(line)

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> None:
        await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # its pipes, at once rather than when collected


class WarmRenderers:
    """Forks renderers from a parent that is ready. Use as ``async with``.

    ``wanted`` is asked each time. The parent is started beside the first document and ends when none came for a while;
    whenever it is not there or does not answer, a renderer is started anew.
    """

    def __init__(self, wanted: Callable[[], bool], *, nice: int = NICE, idle_seconds: float = IDLE_SECONDS) -> None:
        self._wanted, self._nice, self._idle = wanted, nice, idle_seconds
        self._plain = PlainRenderers(nice)
        self._parent: _Parent | None = None
        self._warming: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._not_before = 0.0
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        if self._timer:
            self._timer.cancel()
        self._let_go()
        await asyncio.gather(*self._leaving)

    @property
    def is_warm(self) -> bool:
        return self._parent is not None

    async def warm(self) -> None:
        """Have a parent ready before anything is rendered."""
        if self._parent is None:
            self._begin_warming()
        if self._warming:
            await asyncio.shield(self._warming)

    async def start(self) -> Renderer:
        if not self._wanted():
            self._let_go()
            return await self._plain.start()
        renderer = await self._forked()
        if renderer is None:
            self._begin_warming()
            return await self._plain.start()
        return renderer

    async def _forked(self) -> Renderer | None:
        async with self._turn:
            if self._parent is None:
                return None
            try:
                renderer = await self._parent.fork()
            except (OSError, EOFError, TimeoutError) as why:
                log.warning("the renderers' parent does not answer; another one is started", why=repr(why))
                self._let_go()
                return None
            except asyncio.CancelledError:  # its answer may still come, and the next who asks would take it for theirs
                self._let_go()
                raise
        self._wait_idly()
        return renderer

    def _begin_warming(self) -> None:
        if time.monotonic() >= self._not_before and (self._warming is None or self._warming.done()):
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        try:
            self._parent = await _Parent.start(self._nice)
        except (OSError, EOFError, TimeoutError) as why:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            log.warning("renderers are started one by one: their parent does not start", why=repr(why))
            return
        self._wait_idly()

    def _wait_idly(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle, self._let_go)

    def _let_go(self) -> None:
        """End the parent. Renderers that it started go on."""
        if self._parent:
            leaving = asyncio.create_task(self._parent.end())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            self._parent = None


class _Parent:
    """The process `warm_parent`, seen through its socket."""

    def __init__(self, process: asyncio.subprocess.Process, asked: socket.socket) -> None:
        self._process, self._asked = process, asked

    @classmethod
    async def start(cls, nice: int) -> Self:
        """Raises: OSError, EOFError, TimeoutError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *_argv("rostra.rendering.warm_parent", nice),
                cwd="/",
                env=_environment(),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        parent = cls(process, ours)
        try:
            async with asyncio.timeout(WARMING_SECONDS):
                if (await parent._answer())[0] != READY:
                    raise EOFError
        except BaseException:
            await parent.end(0)
            raise
        return parent

    async def fork(self) -> Renderer:
        """Raises: OSError, EOFError, TimeoutError."""
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        try:
            async with asyncio.timeout(FORKING_SECONDS):
                socket.send_fds(self._asked, [FORK], [one.fileno() for one in theirs])
                said, handles = await self._answer()
        except BaseException:
            for one in ours:
                one.close()
            raise
        finally:
            for one in theirs:
                one.close()
        return await _Forked.of(int(said), handles[0], *ours)

    async def _answer(self) -> tuple[bytes, list[int]]:
        await _readable(self._asked.fileno())
        said, handles, _, _ = socket.recv_fds(self._asked, 32, 1)
        if not said:
            raise EOFError
        return said, handles

    async def end(self, grace_seconds: float = LEAVING_SECONDS) -> None:
        with contextlib.suppress(OSError):
            self._asked.send(BYE)
        self._asked.close()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # at once rather than when collected


class _Forked:
    """`Renderer` over a fork of the parent's: no child of ours, known by a descriptor."""

    def __init__(self, pid: int, handle: int, conversation: Stream, errors: Stream) -> None:
        self.pid, self._handle = pid, handle
        (self.said, self._input), (self.errors, self._errors) = conversation, errors
        self._ended = asyncio.create_task(_gone(handle))

    @classmethod
    async def of(cls, pid: int, handle: int, conversation: socket.socket, errors: socket.socket) -> Self:
        talk = await asyncio.open_unix_connection(sock=conversation, limit=LONGEST_MESSAGE)
        return cls(pid, handle, talk, await asyncio.open_unix_connection(sock=errors, limit=LONGEST_MESSAGE))

    def tell(self, line: bytes) -> None:
        self._input.write(line)

    @property
    def ended(self) -> bool:
        return self._ended.done()

    async def wait(self) -> None:
        await asyncio.shield(self._ended)
        self._input.close()
        self._errors.close()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _gone(handle: int) -> None:
    try:
        await _readable(handle)
    finally:
        os.close(handle)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
