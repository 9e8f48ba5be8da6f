"""`rostra serve` and `rostra reload`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rostra.config.load import Loaded, evaluation, load
from rostra.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from rostra.app.reloaded import Reloaded

ANSWER_SECONDS = 60.0
"""How long `rostra reload` waits: probing dozens of interpreters takes a while, once."""


class NotRunning(NotFound):
    """No server uses this data folder."""

    code = "not-running"


class NotReloaded(Unavailable):
    """The running server goes on with the configuration it had, or does not say."""

    code = "not-reloaded"


def loaded(config: Path | None) -> Loaded:
    """Return the settings of ``config``, or of the evaluation server when there is none."""
    return load(config, os.environ) if config else evaluation(os.environ)


def serve(config: Path | None) -> int:
    """Run the server until it is told to stop; return the exit status."""
    from rostra.app.logs import configure
    from rostra.server.serve import serve as supervise

    settings = loaded(config).settings
    configure(settings.server.log_level, settings.server.log_format)
    arguments = ("--config", str(config.resolve())) if config else ()
    return asyncio.run(supervise(settings, arguments))


def reload(config: Path | None) -> None:
    """Let the running server read its configuration again, unless it would refuse what it reads; return when it has.

    Raises:
        ConfigProblems, BelowMinimum: the server is not told.
        NotRunning: there is no server to tell.
        NotReloaded: the server was told and refused what it found, or does not say what came of it.
    """
    from rostra.app import reloaded
    from rostra.runtimes.catalog import open_catalog
    from rostra.server.places import holder

    new = loaded(config)
    asyncio.run(open_catalog(new.settings.python, memory=None, sources=new.sources))
    data_dir = new.settings.server.data_dir
    server, run_dir = holder(data_dir), data_dir / "run"
    with contextlib.suppress(ProcessLookupError):
        if server is not None:
            reloaded.forget(run_dir)
            begun = time.monotonic()
            os.kill(server, signal.SIGHUP)
            _say(reloaded.wait(run_dir, begun, ANSWER_SECONDS))
            return
    raise NotRunning(f"no server is running on {data_dir}", hint="Start it with: rostra serve")


def _say(told: Reloaded | None) -> None:
    if told is None:
        raise NotReloaded(
            f"the server was told, and has not said within {ANSWER_SECONDS:.0f} seconds that it is done",
            hint="It may be starting, or very busy. Its log says when it has read its configuration.",
        )
    if told.refused:
        raise NotReloaded(told.refused, hint=told.hint)
    print("The server has read its configuration again; its log says what has changed.")
    for name in told.waiting:
        print(f"{name} was changed; it counts after a restart of the server.")
