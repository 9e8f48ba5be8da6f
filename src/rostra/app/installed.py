"""Environments and overlays of this server, as deploys and starts want them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import anyio

from rostra.app.building import Building
from rostra.app.ledger import Ledger
from rostra.config.sections import Settings
from rostra.content.builds import Say
from rostra.environments import index
from rostra.environments.overlay import Overlays
from rostra.environments.site import Tools
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.store import Store
from rostra.environments.turns import Place, nobody
from rostra.runtimes.model import Runtime


@dataclass(frozen=True, slots=True)
class Installed:
    """The `content.builds.Environments` of this machine."""

    store: Store
    overlays: Overlays
    ledger: Ledger | None = None  # None: uses are not written down

    async def ensure(
        self, spec: EnvironmentSpec, say: Say, *, place: Place = nobody, patient: bool = False
    ) -> Environment:
        environment = await self.store.ensure(spec, say, place=place, patient=patient)
        if self.ledger:
            await self.ledger.used(environment)
        return environment

    async def overlay(self, runtime: Runtime, say: Say) -> Path:
        return await self.overlays.ensure_overlay(runtime, say)

    async def reconcile(self) -> list[str]:
        """Remove what a crash left half-installed; a sentence for each."""
        done = [*await self.store.reconcile(), *await self.overlays.store.reconcile()]
        if self.ledger:
            await self.ledger.reconcile(await anyio.to_thread.run_sync(self.store.list_ready))
        return done


def installed(settings: Settings, shell: Building, ledger: Ledger | None = None) -> Installed:
    """Return the environments below the data folder, installed with ``shell`` from the configured package index."""
    python = settings.python
    machine = index.of_machine(os.environ, home=Path.home())
    tools = Tools(
        shell=shell,
        data_dir=settings.server.data_dir,
        index=index.configured(python.index_url, python.extra_index_url, machine),
        build_timeout=python.build_timeout,
    )
    store = Store(
        tools,
        installer=python.package_installer,
        build_concurrency=python.build_concurrency,
        keep_unpacked=python.keep_unpacked,
    )
    return Installed(store, Overlays(tools), ledger)
