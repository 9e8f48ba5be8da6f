"""Which renderings are kept, and the removal of the others: rows first, then files, so that a crash leaves only files.

What a crash leaves is removed at the next start, because no row names it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from rostra.config import sections
from rostra.content import disk
from rostra.content.tables import Item, Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """One rendering of a variant."""

    id: int
    bundle_id: int
    at: dt.datetime
    active: bool


def removable(
    kept: Sequence[Kept], *, limit: int, age: dt.timedelta, now: dt.datetime, drafts: Collection[int] = ()
) -> list[int]:
    """Return the ids to remove of one variant's renderings, in any order given.

    Args:
        limit: how many stay, 0 for all.
        age: how long one stays after a later one took its place, 0 for ever.
        drafts: bundles that are looked at before they are live; their newest rendering stays.
    """
    newest_first = sorted(kept, key=lambda one: (one.at, one.id), reverse=True)
    seen: set[int] = set()
    gone = []
    for place, one in enumerate(newest_first):
        newest_draft = one.bundle_id in drafts and one.bundle_id not in seen
        seen.add(one.bundle_id)
        if place == 0 or one.active or newest_draft:
            continue
        replaced_at = newest_first[place - 1].at
        if (limit and place >= limit) or (age and now - replaced_at > age):
            gone.append(one.id)
    return gone


async def sweep(tools: Tools, guid: str) -> list[str]:
    """Remove an item's renderings that need not be kept; return their folders."""
    settings = tools.settings().applications
    if not settings.rendering_sweep_enabled:
        return []
    async with transaction(tools.sessions) as session:
        item = (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one_or_none()
        if item is None:
            return []
        rows = (await session.execute(sa.select(Rendering).where(Rendering.item_id == item.id))).scalars().all()
        gone = _gone(rows, item.live_bundle_id or 0, settings, tools.clock.now())
        await session.execute(sa.delete(Rendering).where(Rendering.id.in_([row.id for row in gone])))
    folders = [row.path for row in gone]
    await remove(tools.places.data_dir, folders)
    return folders


async def remove(data_dir: Path, folders: Sequence[str]) -> None:
    """Remove the folders (relative to ``data_dir``) of renderings whose rows are gone."""
    await disk.remove_all([data_dir / folder for folder in folders])


def _gone(rows: Sequence[Rendering], live: int, settings: sections.Applications, now: dt.datetime) -> list[Rendering]:
    found: list[Rendering] = []
    for variant in {row.variant_id for row in rows}:
        mine = {row.id: row for row in rows if row.variant_id == variant}
        kept = [Kept(row.id, row.bundle_id, row.rendered_at, row.active) for row in mine.values()]
        ids = removable(
            kept,
            limit=settings.rendering_sweep_limit,
            age=settings.rendering_sweep_age,
            now=now,
            drafts={row.bundle_id for row in mine.values() if row.bundle_id > live},
        )
        found += [mine[each] for each in ids]
    return found
