"""The three processes a server consists of: how each is started, and when again. Pure."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rostra.app import STOP_EVERYTHING
from rostra.config.sections import Settings

STEADY_SECONDS = 10.0  # a process that lived this long is started again at once
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class Child:
    """``argv`` starts after the interpreter; ``fds`` are passed on; ``reloads``: SIGHUP is passed on, too.

    ``farewell`` is the signal that ends it when the whole server stops.
    """

    name: str
    argv: tuple[str, ...]
    fds: tuple[int, ...] = ()
    reloads: bool = False
    farewell: signal.Signals = signal.SIGTERM


def children(settings: Settings, arguments: Sequence[str], listening: int) -> tuple[Child, ...]:
    """Return what has to run, in starting order. ``arguments`` say where control finds its configuration."""
    run_dir = settings.server.data_dir / "run"
    keeper = ("--socket", str(run_dir / "keeper.sock"), "--sandbox", settings.applications.sandbox)
    gateway = ("--fd", str(listening), "--run-dir", str(run_dir), "--settings", json.dumps(gateway_settings(settings)))
    return (
        Child("keeper", ("-m", "rostra.execution.keeper", *keeper)),
        Child("control", ("-m", "rostra.app", *arguments), reloads=True, farewell=STOP_EVERYTHING),
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


@dataclass(frozen=True, slots=True)
class Deaths:
    """Quick ends of one process in a row.

    >>> [Deaths(n).pause for n in (0, 1, 2, 3, 9)]
    [0.0, 0.0, 0.1, 0.2, 10.0]
    """

    quick: int = 0

    def another(self, lived_seconds: float) -> Deaths:
        return Deaths() if lived_seconds > STEADY_SECONDS else Deaths(self.quick + 1)

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start: none after the first, then longer each time."""
        return 0.0 if self.quick < 2 else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.quick - 2))
