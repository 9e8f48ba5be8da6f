"""Keeps the packages of new environments, some time after whoever waited for one got it."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import structlog

from rostra.environments.distributions import Base
from rostra.environments.index import IndexSettings
from rostra.environments.spec import Environment
from rostra.environments.unpacked import Unpacked

AFTER_SECONDS = 3.0  # whoever waited for the environment starts something in it first

log = structlog.get_logger()


class Keeping:
    """What goes on behind the answers of one store. It never fails: what is not kept is installed again."""

    def __init__(self, unpacked: Unpacked) -> None:
        self._unpacked = unpacked
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()

    def later(self, environment: Environment, index: IndexSettings, base: Base) -> None:
        """Keep the packages of ``environment`` for later ones."""
        task = asyncio.get_running_loop().create_task(self._keep(environment, index, base))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, environment: Environment, index: IndexSettings, base: Base) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), AFTER_SECONDS)
        try:
            await anyio.to_thread.run_sync(self._unpacked.keep, environment, index, base)
        except Exception:
            log.exception("packages could not be kept", environment=environment.key)

    async def settled(self) -> None:
        """Wait until everything that was to be kept is."""
        self._hurry.set()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
        self._hurry.clear()
