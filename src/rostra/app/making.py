"""How far a document that is being made for the first time is, for those who wait for it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.jobs.tables import Task, TaskLine
from rostra.rendering.schedules import RENDER, SCHEDULED

_SHOWN = 12
_MAKING = ("deploy", RENDER, SCHEDULED)


@dataclass(frozen=True, slots=True)
class Making:
    """``lines`` are the last ones its task wrote."""

    phase: str
    lines: tuple[str, ...]


async def of_item(session: AsyncSession, guid: str) -> Making | None:
    """Return what is being done to make the item's page; None when nothing is."""
    wanted = sa.select(Task.id, Task.started_at).where(
        Task.subject == guid, Task.finished_at.is_(None), Task.kind.in_(_MAKING)
    )
    task = (await session.execute(wanted.order_by(Task.created_at).limit(1))).one_or_none()
    if task is None:
        return None
    lines = sa.select(TaskLine.text).where(TaskLine.task_id == task.id).order_by(TaskLine.number.desc()).limit(_SHOWN)
    said = tuple((await session.execute(lines)).scalars())[::-1]
    return Making("Waiting for its turn" if task.started_at is None else "Being made", said)
