"""`rostra serve` and `rostra reload`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from rostra.config.load import Loaded, evaluation, load
from rostra.errors import NotFound


class NotRunning(NotFound):
    """No server uses this data folder."""

    code = "not-running"


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
    """Ask the running server to read its configuration again, unless it would refuse what it reads.

    Raises:
        ConfigProblems, BelowMinimum: the server is not told.
        NotRunning: there is no server to tell.
    """
    from rostra.runtimes.catalog import open_catalog
    from rostra.server.places import holder

    new = loaded(config)
    asyncio.run(open_catalog(new.settings.python, memory=None, sources=new.sources))
    data_dir = new.settings.server.data_dir
    server = holder(data_dir)
    with contextlib.suppress(ProcessLookupError):
        if server is not None:
            os.kill(server, signal.SIGHUP)
            print("The server reads its configuration again; its log says what has changed.")
            return
    raise NotRunning(f"no server is running on {data_dir}", hint="Start it with: rostra serve")
