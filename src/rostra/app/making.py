"""How far a document is that is being made: for those who wait for the first one, and beside the one that is shown."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.jobs.tables import Task, TaskLine
from rostra.rendering.schedules import RENDER, SCHEDULED
from rostra.rendering.tables import Variant

_SHOWN = 12
_MAKING = ("deploy", RENDER, SCHEDULED)


@dataclass(frozen=True, slots=True)
class Making:
    """``lines`` are the last ones its task wrote, ``job`` is what ends it; None until it has one."""

    phase: str
    lines: tuple[str, ...]
    job: str | None = None


async def of_item(session: AsyncSession, guid: str) -> Making | None:
    """Return what is being done to make the item's page; None when nothing is."""
    wanted = sa.select(Task.id, Task.started_at, Task.payload).where(
        Task.subject == guid, Task.finished_at.is_(None), Task.kind.in_(_MAKING)
    )
    task = (await session.execute(wanted.order_by(Task.created_at).limit(1))).one_or_none()
    if task is None:
        return None
    lines = sa.select(TaskLine.text).where(TaskLine.task_id == task.id).order_by(TaskLine.number.desc()).limit(_SHOWN)
    said = tuple((await session.execute(lines)).scalars())[::-1]
    phase = "Waiting for its turn" if task.started_at is None else "Being made"
    return Making(phase, said, task.payload.get("job"))


async def refreshes(session: AsyncSession, guid: str, variant: Variant | None) -> bool:
    """Return whether a newer rendering of the variant (None: the default one) is being made or waits for its turn.

    One that will be kept without being shown does not count.
    """
    wanted = sa.select(Task.kind, Task.payload).where(
        Task.subject == guid, Task.finished_at.is_(None), Task.kind.in_(_MAKING)
    )
    for kind, payload in await session.execute(wanted):
        shown = payload.get("activate", True) is not False and not payload.get("build_only")
        if kind == "deploy":
            if shown and (variant is None or variant.is_default):
                return True
        elif shown and await _is(session, payload.get("variant_id"), variant):
            return True
    return False


async def _is(session: AsyncSession, variant_id: object, variant: Variant | None) -> bool:
    if variant is not None and not variant.is_default:
        return variant_id == variant.id
    found = await session.get(Variant, variant_id) if isinstance(variant_id, int) else None
    return found is not None and found.is_default
