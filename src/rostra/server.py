"""The supervisor behind `rostra serve`: opens the listening socket and keeps gateway, control and keeper alive.

It decides nothing about content and holds no database, so that it never needs a restart of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from rostra.app import REFUSED
from rostra.config.sections import Settings
from rostra.errors import Problem

log = structlog.get_logger()

STEADY_SECONDS = 10.0  # a child that lived this long is started again at once
GRACE_SECONDS = 15.0


class CannotServe(Problem):
    """The server cannot start here."""

    code = "cannot-serve"


@dataclass(slots=True)
class Child:
    """One supervised process. ``argv`` starts after the interpreter; ``fds`` are passed on."""

    name: str
    argv: tuple[str, ...]
    fds: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None
    quick_deaths: int = field(default=0)


def children(settings: Settings, arguments: Sequence[str], listening: int) -> tuple[Child, ...]:
    """Return what has to run, in starting order. ``arguments`` say where control finds its configuration."""
    run_dir = settings.server.data_dir / "run"
    keeper = ("--socket", str(run_dir / "keeper.sock"), "--sandbox", settings.applications.sandbox)
    gateway = ("--fd", str(listening), "--run-dir", str(run_dir), "--settings", json.dumps(gateway_settings(settings)))
    return (
        Child("keeper", ("-m", "rostra.execution.keeper", *keeper)),
        Child("control", ("-m", "rostra.app", *arguments)),
        Child("gateway", ("-m", "rostra.gateway", *gateway), fds=(listening,)),
    )


def gateway_settings(settings: Settings) -> dict[str, object]:
    """Return the few settings the gateway needs, times in seconds."""
    return {
        "address": settings.server.address.rstrip("/"),
        "path_prefix": urlsplit(settings.server.address).path.rstrip("/"),
        "max_header_size": settings.http.max_header_size,
        "header_timeout": settings.http.header_timeout.total_seconds(),
        "keep_alive_timeout": settings.http.keep_alive_timeout.total_seconds(),
        "read_timeout": settings.scheduler.read_timeout.total_seconds(),
        "connection_timeout": settings.scheduler.connection_timeout.total_seconds(),
    }


def pause_before_restart(quick_deaths: int) -> float:
    """Return seconds to wait: nothing the first time, then doubling from 0.1 to 10."""
    return 0.0 if quick_deaths == 0 else min(10.0, 0.1 * 2 ** (quick_deaths - 1))


async def serve(settings: Settings, arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    Raises:
        CannotServe: the port is taken, or another server uses the data folder.
    """
    run_dir = prepare(settings.server.data_dir)
    with only_server(run_dir), listening(settings.http.listen) as sock:
        sock.set_inheritable(True)
        wanted = children(settings, arguments, sock.fileno())
        (run_dir / "serve.pid").write_text(str(os.getpid()))
        return await supervise(wanted)


def prepare(data_dir: Path) -> Path:
    """Make the data folder and its run folder; return the latter."""
    run_dir = data_dir / "run"
    longest = run_dir / "p" / ("k" * 16) / "s"
    if len(os.fsencode(longest)) > 107:
        raise CannotServe(
            f"the data folder's path is too long: {longest} would be {len(os.fsencode(longest))} bytes",
            hint="A unix socket path may have 107 bytes; choose a shorter Server.DataDir.",
        )
    try:
        # Content runs as another account and must be able to pass through to what is mounted for it.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        run_dir.mkdir(exist_ok=True, mode=0o711)
    except OSError as why:
        raise CannotServe(
            f"cannot make the data folder {data_dir}: {why.strerror}",
            hint="Set Server.DataDir to a folder this account may write.",
        ) from why
    return run_dir


@contextlib.contextmanager
def only_server(run_dir: Path) -> Iterator[None]:
    """Hold the data folder for the length of the block; the lock goes with the process, however it ends."""
    with (run_dir / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotServe(
                f"another Rostra uses the data folder {run_dir.parent}",
                hint="Stop it first, or give this one its own Server.DataDir.",
            ) from None
        yield


@contextlib.contextmanager
def listening(where: str) -> Iterator[socket.socket]:
    """Open the listening socket named ``host:port``, ``:port`` or ``[v6]:port``."""
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit():
        raise CannotServe(f"HTTP.Listen = {where} names no port", hint="Write host:port or :port.")
    try:
        family = socket.AF_INET6 if ":" in host or (not host and socket.has_dualstack_ipv6()) else socket.AF_INET
        sock = socket.create_server(
            (host, int(port)), family=family, backlog=1024, dualstack_ipv6=family == socket.AF_INET6 and not host
        )
    except OSError as why:
        raise CannotServe(
            f"cannot listen on {where}: {why.strerror}", hint="Choose another HTTP.Listen, or stop what uses it."
        ) from why
    with sock:
        yield sock


async def supervise(wanted: Sequence[Child]) -> int:
    """Keep every child running until a signal, or until one refuses to run; then end them all."""
    stopping = asyncio.Event()
    refused: list[Child] = []
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, _forward_reload, wanted)
    async with asyncio.TaskGroup() as group:
        keepers = [group.create_task(_keep(child, stopping, refused)) for child in wanted]
        await stopping.wait()
        await _end(wanted)
        for task in keepers:
            task.cancel()
    return REFUSED if refused else 0


async def _keep(child: Child, stopping: asyncio.Event, refused: list[Child]) -> None:
    while not stopping.is_set():
        started = time.monotonic()
        child.process = await asyncio.create_subprocess_exec(
            sys.executable, *child.argv, pass_fds=child.fds, preexec_fn=_die_with_supervisor, start_new_session=True
        )
        code = await child.process.wait()
        if stopping.is_set():
            return
        if code == REFUSED:
            refused.append(child)
            stopping.set()
            return
        child.quick_deaths = 0 if time.monotonic() - started > STEADY_SECONDS else child.quick_deaths + 1
        pause = pause_before_restart(child.quick_deaths - 1 if child.quick_deaths else 0)
        log.warning("process ended, starting it again", process=child.name, code=code, pause_seconds=pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


async def _end(wanted: Sequence[Child]) -> None:
    # The gateway first: it finishes what it carries while the others can still answer.
    for child in reversed(wanted):
        if child.process is None or child.process.returncode is not None:
            continue
        with contextlib.suppress(ProcessLookupError):
            child.process.terminate()
        try:
            await asyncio.wait_for(child.process.wait(), GRACE_SECONDS)
        except TimeoutError:
            log.warning("process did not end in time, killing it", process=child.name)
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            await child.process.wait()


def _forward_reload(wanted: Sequence[Child]) -> None:
    for child in wanted:
        if child.name == "control" and child.process and child.process.returncode is None:
            child.process.send_signal(signal.SIGHUP)


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_supervisor() -> None:
    # After `kill -9` of the supervisor nothing may keep the port or the data folder.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
