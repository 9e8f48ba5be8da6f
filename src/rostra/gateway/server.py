"""The gateway's process: listens, serves until SIGTERM, drains, ends."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import socket
import sys
from pathlib import Path

import uvloop

from rostra.gateway.connection import ClientConnection
from rostra.gateway.plane import Plane
from rostra.gateway.settings import BadSettings, Settings, read_settings

BACKLOG = 2048


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop; returns the exit status."""
    options = _options(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        settings = read_settings(options.settings)
    except BadSettings as why:
        print(f"rostra gateway: {why}", file=sys.stderr)  # noqa: T201  # before there is a log anybody reads
        return 2
    listening = socket.socket(fileno=options.fd) if options.fd is not None else _listen(options.listen)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(listening, options.run_dir, settings))
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rostra-gateway", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="an inherited listening socket")
    where.add_argument("--listen", metavar="HOST:PORT", help="an address to listen on")
    parser.add_argument("--run-dir", type=Path, required=True, help="the folder of the sockets")
    parser.add_argument("--settings", default="{}", help="one JSON object; see settings.py")
    return parser.parse_args(argv)


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)


async def serve(listening: socket.socket, run_dir: Path, settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Serve ``listening`` until ``stop`` is set, by default by SIGTERM or SIGINT; then drain. Closes the socket."""
    loop = asyncio.get_running_loop()
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    plane = Plane(run_dir, settings)
    server = await loop.create_server(lambda: ClientConnection(plane), sock=listening, backlog=BACKLOG)
    _quiet_collector()
    await plane.run(stop, server)


def _quiet_collector() -> None:
    """Requests leave next to no cycles behind, so looking for them after every 700 objects is wasted."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
