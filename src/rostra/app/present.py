"""What the server works with right now: its settings and its interpreters. A reload exchanges them, in whole or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from rostra.app.reloaded import Reloaded
from rostra.clock import Clock, SystemClock
from rostra.config.declarations import Declared, all_settings
from rostra.config.load import Loaded
from rostra.config.sections import Settings
from rostra.errors import Problem
from rostra.runtimes.catalog import Catalog, Row, open_catalog
from rostra.runtimes.model import Runtime
from rostra.runtimes.r_catalog import BesideCatalog, BesideRow, open_beside
from rostra.runtimes.r_model import Beside

log = structlog.get_logger()


@dataclass(slots=True)
class Present:
    """Everything else is opened once, at start."""

    loaded: Loaded
    probed: Catalog
    clock: Clock = field(default_factory=SystemClock)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @property
    def catalog(self) -> Catalog:
        """The interpreters with their states of this moment: a date in the settings may have come."""
        return self.probed.at(self.clock.now())

    def runtimes(self) -> Sequence[Runtime]:
        return self.catalog.runtimes

    async def look_beside(self) -> BesideCatalog:
        """Look at R and Quarto as they are now: packages of R come and go while the server runs."""
        settings = self.settings
        folder = memory(settings).parent
        return await open_beside(settings.r, settings.quarto, memory=folder, sources=self.loaded.sources)

    async def beside(self) -> Beside:
        return (await self.look_beside()).offer

    async def reload(self, read: Callable[[], Loaded]) -> Reloaded:
        """Take over what ``read`` returns. What would be refused at start changes nothing, and the log says why."""
        try:
            loaded, waiting = exchanged(self.loaded, read())
            probed = await read_catalog(loaded, memory(loaded.settings))
        except Problem as refused:
            log.error("configuration not reloaded: it would be refused", why=refused.message, hint=refused.hint)
            return Reloaded(refused=refused.message, hint=refused.hint)
        self.loaded, self.probed = loaded, probed
        log.info("configuration reloaded")
        for name in waiting:
            log.warning(f"{name} was changed; it counts after a restart of the server")
        await self.tell()
        return Reloaded(waiting=waiting)

    async def tell(self) -> None:
        """Log the table of interpreters; one that was asked for and cannot be used is a warning."""
        catalog, beside = self.catalog, await self.look_beside()
        rows: list[Row | BesideRow] = [*catalog.rows, *beside.rows]
        for row, line in zip(rows, [*catalog.lines(), *beside.lines()], strict=True):
            if row.remedy:
                log.warning(f"{line}: {row.remedy}")
            else:
                log.info(line)
        if self.settings.python.enabled and not catalog.runtimes:
            log.warning("no Python can be used: only static content and documents without Python are served")


async def read_catalog(loaded: Loaded, memory: Path | None) -> Catalog:
    """Look at the configured interpreters; ``memory`` is where to keep what unchanged ones said.

    Raises:
        BelowMinimum: with file and line of what to remove.
    """
    return await open_catalog(loaded.settings.python, memory=memory, sources=loaded.sources)


def memory(settings: Settings) -> Path:
    """Return the file that remembers interpreters, its folder made."""
    folder = settings.server.data_dir / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "interpreters.json"


def exchanged(old: Loaded, new: Loaded) -> tuple[Loaded, tuple[str, ...]]:
    """Return ``new`` with the old values of all that cannot change while the server runs, and the names of those."""
    held: dict[str, dict[str, Any]] = {}
    waiting: list[str] = []
    for setting in all_settings():
        before, after = _value(old.settings, setting), _value(new.settings, setting)
        if before != after and not setting.reloadable:
            held.setdefault(setting.section_attribute, {})[setting.attribute] = before
            waiting.append(setting.full_name)
    return dataclasses.replace(new, settings=_with(new.settings, held)), tuple(waiting)


def _value(settings: Settings, setting: Declared) -> Any:
    return getattr(getattr(settings, setting.section_attribute), setting.attribute)


def _with(settings: Settings, held: Mapping[str, Mapping[str, Any]]) -> Settings:
    changes = {name: dataclasses.replace(getattr(settings, name), **values) for name, values in held.items()}
    return dataclasses.replace(settings, **changes)
