"""What a server must have for itself alone before it starts anything: its data folder and its port."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from rostra.config.checks import listen_address
from rostra.durable import UNFINISHED
from rostra.errors import Forbidden, Problem
from rostra.execution.local import LONGEST_RUN_DIR
from rostra.ids import new_key

BACKLOG = 1024
_LOCK = "lock"  # holds the server's process id


class CannotServe(Problem):
    """The server cannot start here."""

    code = "cannot-serve"


def prepare(data_dir: Path) -> Path:
    """Make the data folder and its run folder; return the latter.

    Raises:
        CannotServe: they cannot be made or written, or the path is too long for sockets.
    """
    run_dir = data_dir / "run"
    room = LONGEST_RUN_DIR - len(f"/run/p/{new_key()}")
    if len(os.fsencode(data_dir)) > room:
        raise CannotServe(
            f"the path of the data folder {data_dir} has {len(os.fsencode(data_dir))} bytes; {room} are the most",
            hint="Paths of unix sockets are short by nature, and some lie below it: choose a shorter Server.DataDir.",
        )
    if os.path.lexists(data_dir / UNFINISHED):  # what came so far would be taken for left-overs and removed
        raise CannotServe(
            f"a backup is being restored into {data_dir} and is not complete",
            hint="Wait for it. When it was interrupted, remove what is in that folder and restore again.",
        )
    try:
        # Content runs as another account and must be able to pass through to what is mounted for it.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        run_dir.mkdir(exist_ok=True, mode=0o711)
    except OSError as why:
        raise _unusable(data_dir, why) from why
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(data_dir, PermissionError(0, "this account may not write there"))
    return run_dir


def _unusable(data_dir: Path, why: OSError) -> CannotServe:
    return CannotServe(
        f"the data folder {data_dir} cannot be used: {why.strerror or why}",
        hint="Set Server.DataDir to a folder this account may write, or give it this one.",
    )


@contextlib.contextmanager
def only_server(run_dir: Path) -> Iterator[None]:
    """Hold the data folder for the length of the block; the lock goes with the process, however it ends.

    Raises:
        CannotServe: another server holds it.
    """
    try:
        # Nobody else may as much as open it: whoever can could hold the lock, too.
        handle = os.fdopen(os.open(run_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+")
        os.fchmod(handle.fileno(), 0o600)
    except OSError as why:
        raise _unusable(run_dir.parent, why) from why
    with handle:
        if not _taken(handle.fileno()):
            number = handle.read().strip()
            raise CannotServe(
                f"another Rostra{f' (process {number})' if number else ''} uses the data folder {run_dir.parent}",
                hint="Stop it first, or give this one its own Server.DataDir.",
            )
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def holder(data_dir: Path) -> int | None:
    """Return the process id of the server that holds the data folder now, None when there is none.

    Raises:
        Forbidden: this account may not know.
    """
    try:
        with (data_dir / "run" / _LOCK).open() as handle:
            return None if _taken(handle.fileno()) else int(handle.read())
    except PermissionError as why:
        raise Forbidden(
            f"this account may not see which server uses {data_dir}", hint="Run this as the account the server runs as."
        ) from why
    except (OSError, ValueError):
        return None


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def listening(where: str) -> Iterator[socket.socket]:
    """Open the listening socket named ``host:port``, ``:port`` (every address) or ``[v6]:port``.

    Raises:
        CannotServe: the port is taken or not this account's to use.
    """
    host, port = listen_address(where)
    everywhere = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host or everywhere else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=everywhere)
    except OSError as why:
        raise CannotServe(
            f"cannot listen on {where}: {why.strerror or why}",
            hint="Choose another HTTP.Listen, or stop what uses it.",
        ) from why
    with sock:
        yield sock
