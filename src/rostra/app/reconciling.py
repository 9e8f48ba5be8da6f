"""Puts right what the last run left, whatever ended it, and says what was done."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app.git_work import forget_unfilled
from rostra.app.installed import Installed
from rostra.auth import keys
from rostra.content import bundles, disk, items, job_records
from rostra.content.places import Places
from rostra.content.processes import Processes
from rostra.content.tables import Item, Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.execution import host
from rostra.execution.launcher import Launcher
from rostra.execution.pool import PoolSpec
from rostra.ids import PoolKey
from rostra.jobs.queue import ATTEMPTS
from rostra.jobs.tables import Task

log = structlog.get_logger()


def close_folders(places: Places, *, sandboxed: bool) -> None:
    """Keep what people published from other accounts of this machine; data folders of earlier releases too.

    Without a sandbox content reaches its own files by their path: there the folders can be passed through, not listed.
    """
    passable = 0o700 if sandboxed else 0o711
    for name, mode in (("bundles", 0o700), ("jobs", 0o700), ("apps", passable), ("renderings", passable)):
        folder = places.data_dir / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)


def builds_folder(places: Places) -> Path:
    """Return the folder where each program of a build has its private one, emptied of what a crash left."""
    folder = places.run_dir / "builds"
    disk.remove(folder)
    folder.mkdir(mode=0o711)
    return folder


def kernels_folder(places: Places) -> Path:
    """Return the folder where each notebook's kernel has its private one, emptied of what a crash left.

    A renderer ends its kernel when nobody listens to it any more, but it may be too busy to notice.
    """
    folder = places.run_dir / "k"
    for pid in host.sandboxes(folder):
        log.warning("ending a kernel of the last run", pid=pid)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    disk.remove(folder)
    folder.mkdir(mode=0o711)
    return folder


async def disk_state(tools: Tools, environments: Installed) -> None:
    """Remove what is unfinished on disk. For start-up, before anything is built, received or rendered."""
    async with transaction(tools.sessions) as session:
        await forget_unfilled(session)
        done = await bundles.reconcile(session, tools.places)
    async with transaction(tools.reading) as session:
        kept = await _renderings(session)
    done += await disk.in_thread(lambda _: list(_remove_renderings(tools.places.data_dir, kept)), long=True)
    done += await environments.reconcile()
    for line in done:
        log.info(line)


async def processes(tools: Tools, definitions: Processes, launcher: Launcher) -> None:
    """Take over what the keeper still runs, end what belongs to nothing, and complete what is written of the rest."""

    async def spec_of(key: PoolKey) -> PoolSpec | None:
        return tools.pools.defined(key) if await definitions.define(key) else None

    taken, ended = await tools.pools.reconcile(spec_of)
    running = [process.key for process in await launcher.running()]
    async with transaction(tools.sessions) as session:
        await keys.revoke_for_processes_other_than(session, running)
        resumed = await _jobs_of_tasks(session)
        interrupted = await job_records.reconcile(session, [*running, *resumed], tools.clock.now())
    if taken or ended or interrupted:
        log.info("processes of the last run", taken_over=taken, ended=ended, interrupted=interrupted)
    for line in await items.purge(tools.sessions, tools.places):
        log.info(line)


async def _jobs_of_tasks(session: AsyncSession) -> list[str]:
    """Return the jobs of tasks that will begin again: their records go on."""
    waiting = sa.select(Task.payload).where(Task.finished_at.is_(None), Task.attempts < ATTEMPTS)
    return [payload["job"] for payload in (await session.execute(waiting)).scalars() if "job" in payload]


async def _renderings(session: AsyncSession) -> dict[str, set[str]]:
    """Return the folders of each item's renderings, as paths under the data folder."""
    wanted = sa.select(Item.guid, Rendering.path).outerjoin(Rendering, Rendering.item_id == Item.id)
    kept: dict[str, set[str]] = {}
    for guid, path in await session.execute(wanted):
        kept.setdefault(guid, set()).update(() if path is None else (path,))
    return kept


def _remove_renderings(data_dir: Path, kept: dict[str, set[str]]) -> Iterator[str]:
    """Remove renderings that were finished or begun but never became a row. Unknown items' folders are left alone."""
    for folder in _folders(data_dir / "renderings"):
        for entry in _folders(folder, kept.get(folder.name)):
            name = str(entry.relative_to(data_dir))
            if name not in kept[folder.name]:
                disk.remove(entry)
                yield f"Removed {name}, a rendering that was not finished."


def _folders(place: Path, wanted: Collection[str] | None = ()) -> list[Path]:
    """Return what is in a folder, nothing when it is not there or (None) not wanted."""
    if wanted is None or not place.is_dir():
        return []
    with os.scandir(place) as found:
        return sorted(Path(entry.path) for entry in found)
