"""What this release would refuse or change, found out from the present configuration and records. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rostra.config.errors import ConfigProblems
from rostra.config.load import Loaded, load
from rostra.config.sections import Settings
from rostra.content.builds import RuntimeGone
from rostra.content.rebuild import RECORDED, Recorded, successor
from rostra.content.tables import Bundle, Item
from rostra.db.engine import only_reading, open_engine
from rostra.db.errors import DatabaseUnavailable
from rostra.db.schema import Standing, standing
from rostra.environments.inventory import Found, scan
from rostra.errors import Problem
from rostra.runtimes.catalog import Catalog, inspect
from rostra.runtimes.model import RuntimeState
from rostra.units import counted


class Weight(StrEnum):
    breaks = "breaks"  # the server would not start, or something of it would not work
    changes = "changes"  # it would be done differently from now on
    note = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` is configuration, interpreters, database, environments or content; ``hint`` says what to do."""

    weight: Weight
    about: str
    text: str
    hint: str = ""


async def check(path: Path | None, environ: Mapping[str, str]) -> list[Finding]:
    """Return everything there is to know before this release is started with ``path``, the worst first."""
    try:
        loaded = load(path, environ)
    except ConfigProblems as wrong:
        return [Finding(Weight.breaks, "configuration", text, "Correct the line.") for text in wrong.problems]
    catalog = await inspect(loaded.settings.python, memory=None, sources=loaded.sources, environ=environ)
    found = [*_configuration(loaded), *_interpreters(catalog, enabled=loaded.settings.python.enabled)]
    found += await _records(loaded.settings, catalog)
    return sorted(found, key=lambda each: tuple(Weight).index(each.weight))


def _configuration(loaded: Loaded) -> list[Finding]:
    return [Finding(Weight.note, "configuration", text) for text in loaded.notes]


def _interpreters(catalog: Catalog, *, enabled: bool) -> list[Finding]:
    found = []
    for row in catalog.rows:
        where = f"{row.place}: " if row.place else ""
        if row in catalog.below_minimum and not catalog.discovered:
            which = f"{where}Python {row.probe.version} at {row.probe.executable}"
            text = f"{which} {row.problem}: the server would not start"
            found.append(Finding(Weight.breaks, "interpreters", text, "Remove the line."))
        elif not row.usable and not catalog.discovered:
            text = f"{where}{row.probe.executable} {row.problem}: it would not be used"
            found.append(Finding(Weight.changes, "interpreters", text, "Correct it or remove the line."))
    if enabled and not any(row.usable for row in catalog.rows):
        found.append(Finding(Weight.note, "interpreters", "no usable interpreter: only static content would be served"))
    return found


async def _records(settings: Settings, catalog: Catalog) -> list[Finding]:
    file = settings.server.data_dir / "rostra.db"
    if settings.database.provider == "sqlite" and not file.exists():
        return [Finding(Weight.note, "database", f"there is no database at {file} yet; the first start makes one")]
    try:
        engine = open_engine(settings)
        try:
            where = await standing(engine)
            found = [*_database(where)]
            if where.revision is not None and not where.newer:
                found += await _content(engine, catalog)
            return found + _environments(scan(settings.server.data_dir), catalog)
        finally:
            await engine.dispose()
    except Problem as why:
        return [Finding(Weight.breaks, "database", why.message, why.hint)]


def _database(where: Standing) -> list[Finding]:
    if where.newer:
        text = f"the database is at revision {where.revision}, which this release does not know: it would not start"
        hint = "Stay with the newer release, or restore the backup made before it was first started."
        return [Finding(Weight.breaks, "database", text, hint)]
    if where.missing:
        text = f"the database would be brought from {where.revision or 'nothing'} to {where.missing[-1]}"
        hint = "Make a backup first: an older release cannot use it any more."
        return [Finding(Weight.changes, "database", f"{text} ({', '.join(where.missing)})", hint)]
    return []


async def _content(engine: AsyncEngine, catalog: Catalog) -> list[Finding]:
    """Say what would become of live content. Asks only for columns that every release had."""
    try:
        async with only_reading(engine).connect() as connection:
            rows = await _live(connection)
    except sa.exc.SQLAlchemyError as why:
        raise DatabaseUnavailable("the configured address", str(getattr(why, "orig", why)).strip()) from why
    lost: list[Finding] = []
    moved: Counter[tuple[str, str]] = Counter()
    for guid, title, recorded in rows:
        try:
            found = successor(recorded, catalog.policy, catalog.runtimes)
        except RuntimeGone as gone:
            text = f"{title} ({guid}) would not run: {gone.message}"
            lost.append(Finding(Weight.breaks, "content", text, gone.hint))
        else:
            if found.reason:
                moved[str(recorded.runtime_version), str(found.runtime.version)] += 1
    return lost + [_moved(old, new, count) for (old, new), count in sorted(moved.items())]


async def _live(connection: AsyncConnection) -> list[tuple[str, str, Recorded]]:
    wanted = sa.select(Item.guid, Item.title, Item.name, *RECORDED).join(Bundle, Bundle.id == Item.live_bundle_id)
    wanted = wanted.where(Item.deleted_at.is_(None), Bundle.runtime_version.is_not(None)).order_by(Item.id)
    return [(guid, title or name, Recorded(*rest)) for guid, title, name, *rest in await connection.execute(wanted)]


def _moved(old: str, new: str, count: int) -> Finding:
    what = f"{counted(count, 'item')} on Python {old} would run on {new}"
    text = what if old != new else f"{counted(count, 'item')} would use Python {new} at another path"
    hint = "Their environments are made again at the next visit, or ahead of time: rostra environments rebuild."
    return Finding(Weight.changes, "content", text, hint)


def _environments(found: Sequence[Found], catalog: Catalog) -> list[Finding]:
    usable = {each.identity for each in catalog.runtimes if each.state is not RuntimeState.retired}
    gone = Counter(each.python for each in found if each.identity not in usable)
    return [
        Finding(
            Weight.changes,
            "environments",
            f"{counted(count, 'environment')} of Python {version} would not be used: it is gone or retired",
            "See: rostra environments list. Unused ones are removed by themselves, or by: rostra environments reap.",
        )
        for version, count in sorted(gone.items())
    ]


def lines(found: Iterable[Finding]) -> list[str]:
    """Return the findings as text, each with what to do on a line of its own."""
    told: list[str] = []
    for each in found:
        told.append(f"{each.weight.value:<8} {each.about}: {each.text}")
        told += [f"{'':<9}{each.hint}"] if each.hint else []
    return told
