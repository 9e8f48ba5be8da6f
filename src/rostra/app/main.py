"""The control process from its command line to its end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from rostra.app import REFUSED
from rostra.app.control import control
from rostra.app.evaluation import welcome
from rostra.app.logs import configure
from rostra.app.present import Present, memory, read_catalog
from rostra.app.serving import Signals, serve
from rostra.config.load import Loaded, load
from rostra.errors import Unavailable
from rostra.jobs.worker import understandable

log = structlog.get_logger()


def main() -> int:
    """Run until SIGTERM; return the exit status. ``REFUSED`` means: it has said why, and trying again will not help."""
    parser = argparse.ArgumentParser(prog="python -m rostra.app")
    parser.add_argument("--config", type=Path)
    read = partial(load, parser.parse_args().config, os.environ)
    os.umask(0o022)
    try:
        loaded = read()
        configure(loaded.settings.server.log_level, loaded.settings.server.log_format)
        asyncio.run(run(loaded, read))
    except Exception as why:
        problem = understandable(why)
        if problem is None:
            raise
        sys.stderr.write(f"rostra: {problem.message}\n{problem.hint}\n")
        return 1 if isinstance(problem, Unavailable) else REFUSED
    return 0


async def run(loaded: Loaded, read: Callable[[], Loaded]) -> None:
    """Serve until told to stop; ``read`` reads the configuration again at each SIGHUP."""
    signals = Signals()
    for note in loaded.notes:
        log.info(note)
    present = Present(loaded, await read_catalog(loaded, memory(loaded.settings)))
    await present.tell()
    async with control(present) as running, asyncio.TaskGroup() as reloads:
        signals.on_hangup(reloads, lambda: running.reload(read))
        await welcome(running)
        path = running.tools.places.run_dir / "control.sock"
        await serve(running.app, path, signals.stop, lambda: _ready(running.tools.server_url))
        if signals.everything:
            await running.tools.pools.end_all()


def _ready(address: str) -> None:
    log.info(f"Rostra answers at {address}")
    # What is there now stays for good: the collector, which was off until here, need not look at it again.
    gc.collect()
    gc.freeze()
    gc.enable()
