"""`rostra serve` and `rostra reload`."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from rostra.config.load import Loaded, evaluation, load
from rostra.errors import NotFound, Problem


class NotRunning(NotFound):
    """No server uses this data folder."""

    code = "not-running"


def loaded(config: Path | None) -> Loaded:
    """Return the settings of ``config``, or of the evaluation server when there is none."""
    return load(config, os.environ) if config else evaluation(os.environ)


def serve(config: Path | None) -> int:
    """Run the server until it is told to stop; return the exit status."""
    from rostra.app.logs import configure
    from rostra.server import serve as supervise

    settings = loaded(config).settings
    configure(settings.server.log_level, settings.server.log_format)
    arguments = ("--config", str(config.resolve())) if config else ()
    return asyncio.run(supervise(settings, arguments))


def reload(config: Path | None) -> None:
    """Ask the running server to read its configuration again.

    Raises:
        Problem: the new configuration would be refused; the server is not told.
        NotRunning: there is no server to tell.
    """
    data_dir = loaded(config).settings.server.data_dir
    try:
        pid = int((data_dir / "run" / "serve.pid").read_text())
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError) as why:
        raise NotRunning(
            f"no server is running on {data_dir}", hint="Start it with: rostra serve"
        ) from why


__all__ = ["Problem", "loaded", "reload", "serve"]
