"""`python -m rostra.app`: the control process, as the supervisor starts it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import structlog
import uvicorn

from rostra.app import REFUSED
from rostra.app.control import Control, Present, control, read_catalog
from rostra.app.evaluation import welcome
from rostra.app.logs import configure
from rostra.config.load import load
from rostra.errors import Problem

log = structlog.get_logger()


def main() -> None:
    parser = argparse.ArgumentParser(prog="rostra.app")
    parser.add_argument("--config", type=Path)
    config: Path | None = parser.parse_args().config
    os.umask(0o022)
    try:
        loaded = load(config, os.environ)
        configure(loaded.settings.server.log_level, loaded.settings.server.log_format)
        asyncio.run(_run(config))
    except Problem as problem:
        sys.stderr.write(f"rostra: {problem.message}\n{problem.hint}\n")
        sys.exit(REFUSED)


async def _run(config: Path | None) -> None:
    loaded = load(config, os.environ)
    for note in loaded.notes:
        log.info(note)
    async with control(loaded) as running:
        for line in running.present.catalog.lines():
            log.info(line)
        await welcome(running)
        await _serve(running, config)


async def _serve(running: Control, config: Path | None) -> None:
    """Answer the gateway on control.sock until SIGTERM."""
    path = running.tools.places.run_dir / "control.sock"
    path.unlink(missing_ok=True)
    settings = uvicorn.Config(
        running.app,
        uds=str(path),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(settings)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(running.present, config))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve()


async def _reload(present: Present, config: Path | None) -> None:
    """Read the configuration again; one that would be refused at start changes nothing."""
    try:
        loaded = load(config, os.environ)
        catalog = await read_catalog(loaded)
    except Problem as refused:
        log.error("configuration not reloaded: it would be refused", why=refused.message, hint=refused.hint)
        return
    present.loaded, present.catalog = loaded, catalog
    log.info("configuration reloaded")
    for line in catalog.lines():
        log.info(line)


main()
