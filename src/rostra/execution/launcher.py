"""The one seam between content and the place it runs.

Everything above says what to start (`Launch`); everything below knows how.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rostra.errors import Unavailable
from rostra.ids import ProcessKey


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path the process may see, at the same path inside. Read-only unless ``writable``."""

    path: Path
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything a launcher needs, and nothing about content.

    ``mounts`` is all that is shown of the host besides the operating system's own read-only folders.
    ``run_dir`` is a private folder for this process (its socket and ready mark live there), writable inside, at most
    80 bytes long because a socket path is limited to 107. The launcher makes it and removes it.
    ``log`` receives stdout and stderr, as `logs.read` reads them, at most ``log_bytes``: beginning and end stay, a line
    between them says how much does not. ``memory_bytes`` is a hard ceiling; None is unlimited. ``cpus`` is how many
    processors' time it gets at most, where control groups allow. ``user`` is a (uid, gid) to become when the server is
    root; None is its default account, never root.
    """

    key: ProcessKey
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    run_dir: Path
    log: Path
    mounts: tuple[Mount, ...] = ()
    log_bytes: int = 10_000_000
    memory_bytes: int | None = None
    cpus: float | None = None
    user: tuple[int, int] | None = None
    network: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        """The unix socket the process listens on."""
        return self.run_dir / "s"


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started and has not been seen to end."""

    key: ProcessKey
    pid: int
    socket: Path
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exit:
    """``code`` is the exit status; negative means killed by that signal, as in subprocess.

    ``lost`` says that it ended together with what held it, through no fault of its own.
    """

    key: ProcessKey
    code: int
    lost: bool = False


class Launcher(Protocol):
    """Starts processes somewhere: the local host, a container, a cluster.

    Contract (``tests/execution/contract.py`` checks every implementation):

    1. ``probe`` is cheap, has no side effect, and returns one sentence for each thing that is not protected.
    2. ``start`` returns once the process exists; it need not be ready. A failure to start raises ``LaunchFailed`` and
       leaves nothing behind. A process that starts and then dies is not an error, it is an ``Exit``.
    3. ``stop`` sends SIGTERM, waits ``grace_seconds``, then ends the *whole* tree, and returns only once nothing of it
       is left. Stopping what is not running returns at once. Stopping what is being started ends it once it has been.
    4. ``running`` lists what is alive, also what an earlier client of the same launcher started: callers reconcile.
    5. ``exits`` yields every end that happens after it was called, once per subscriber. When it does, the log is
       complete and ``run_dir`` is gone.
    6. Launches are independent: any number may run, none may affect another.
    7. All methods may be called from several tasks at once. A start whose caller is cancelled leaves nothing behind.
    """

    async def probe(self) -> tuple[str, ...]: ...

    async def start(self, what: Launch) -> Running: ...

    async def stop(self, key: ProcessKey, *, grace_seconds: float = 5.0) -> None: ...

    async def running(self) -> tuple[Running, ...]: ...

    def exits(self) -> AsyncIterator[Exit]: ...


class LaunchFailed(Unavailable):
    """The process could not be started at all."""

    code = "launch-failed"
