"""The keeper process: starts, holds and ends content processes for whoever may open its socket.

It has no database and knows no content, so that it hardly ever needs a restart. Its clients come and go; what they
started stays until somebody stops it or the keeper ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from rostra.errors import Problem
from rostra.execution import host, wire
from rostra.execution.launcher import Exit, Launcher
from rostra.execution.local import LocalLauncher
from rostra.execution.weights import Scales
from rostra.ids import ProcessKey
from rostra.trees import remove_tree

REFUSED = 78  # EX_CONFIG: it has said why it cannot run, starting it again would not help
SLOW_CLIENT_BYTES = 4 * 1024 * 1024  # a client that reads nothing is dropped: it can connect and ask again

log = logging.getLogger(__name__)


class Keeper:
    """Serves the protocol of keeper.sock (docs/explanation/architecture.md) for any launcher."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, path: Path, ready: Callable[[], None] = lambda: None) -> None:
        """Answer clients until cancelled. The socket is this account's alone."""
        path.unlink(missing_ok=True)
        exits = self._launcher.exits()
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._client, path, limit=wire.LONGEST_LINE)
        finally:
            os.umask(before)
        try:
            ready()
            async for end in exits:
                self._tell(end)
        finally:
            server.close()
            for writer in tuple(self._writers):
                writer.close()
            path.unlink(missing_ok=True)

    def _tell(self, end: Exit) -> None:
        message = wire.line(wire.from_exit(end))
        for writer in tuple(self._writers):
            self._send(writer, message)

    def _send(self, writer: asyncio.StreamWriter, message: bytes) -> None:
        if writer.transport.get_write_buffer_size() > SLOW_CLIENT_BYTES:
            writer.transport.abort()
        elif not writer.is_closing():
            writer.write(message)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            async with asyncio.TaskGroup() as group:
                while text := await reader.readline():
                    group.create_task(self._answer(text, writer))
        except* (OSError, ValueError) as why:
            log.warning("a client was dropped: %s", why.exceptions[0])
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, text: bytes, writer: asyncio.StreamWriter) -> None:
        message = wire.parse(text)
        answer: dict[str, Any]
        try:
            answer = {"ok": await self._operations[message.get("op", "")](self, message)}
        except Problem as why:
            answer = {"error": why.message, "hint": why.hint}
        except (KeyError, TypeError, ValueError) as why:
            answer = {"error": f"the keeper cannot read this message: {why!r}"}
        except Exception:
            log.exception("an operation failed")
            answer = {"error": "the keeper failed; its log says why"}
        self._send(writer, wire.line({"id": message.get("id"), **answer}))

    async def _start(self, message: dict[str, Any]) -> dict[str, Any]:
        return wire.from_running(await self._launcher.start(wire.to_launch(message["launch"])))

    async def _stop(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._launcher.stop(ProcessKey(message["key"]), grace_seconds=float(message["grace"]))
        return {}

    async def _list(self, _message: dict[str, Any]) -> dict[str, Any]:
        return {"processes": [wire.from_running(one) for one in await self._launcher.running()]}

    async def _weigh(self, _message: dict[str, Any]) -> dict[str, Any]:
        return wire.from_weights(await self._launcher.weigh() if isinstance(self._launcher, Scales) else {})

    async def _probe(self, _message: dict[str, Any]) -> dict[str, Any]:
        return {"unprotected": list(await self._launcher.probe())}

    _operations: dict[str, Callable[[Keeper, dict[str, Any]], Awaitable[dict[str, Any]]]] = {  # noqa: RUF012
        "start": _start,
        "stop": _stop,
        "list": _list,
        "probe": _probe,
        "weigh": _weigh,
    }


async def run(path: Path, sandbox: str) -> int:
    """Keep until SIGTERM or SIGINT, then end everything; return the exit status."""
    facts, groups = host.discover(sandbox)
    if groups is not None:
        groups.come_first()  # content runs in them; builds have groups of their own
    for sentence in host.unprotected(facts):
        log.warning("%s", sentence)
    _remove_leftovers(path.parent / "p")
    stopping = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
    async with LocalLauncher(facts, groups) as launcher:
        serving = asyncio.create_task(Keeper(launcher).serve(path))
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, waiting):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    return 0


def _remove_leftovers(folder: Path) -> None:
    """Remove what an earlier keeper left that was killed.

    Its processes ended with it, except those it had started only milliseconds before: bubblewrap then had not yet bound
    its life to the keeper's. They are known by their command line, which names a run folder.
    """
    for pid in host.sandboxes(folder):
        log.warning("ending process %d, left by an earlier keeper", pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for left in folder.glob("*"):
        remove_tree(left)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rostra.execution.keeper")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--sandbox", choices=("auto", "required", "off"), default="auto")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(format="keeper: %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        return asyncio.run(run(chosen.socket, chosen.sandbox))
    except Problem as why:
        log.error("%s", why)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
