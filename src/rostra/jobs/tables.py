"""Tasks (progress of long work) and their output lines. A task is its own queue entry."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class Task(Table):
    """One piece of long work. ``kind`` names its handler, ``payload`` is what the handler is given.

    Waiting: ``started_at`` None. Running: ``leased_until`` set. Ended: ``finished_at`` set, with ``exit_code`` (0 is
    success), ``error`` (empty on success) and ``result``. ``stop_asked`` is the reason when somebody asked for its end.
    """

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    subject: Mapped[str | None] = mapped_column(index=True)  # item guid: one task per subject runs at a time
    user_id: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    leased_until: Mapped[dt.datetime | None]
    worker: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    exit_code: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    stop_asked: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))

    __table_args__ = (
        sa.Index("tasks_waiting", "finished_at", "leased_until", "created_at"),
        sa.Index("tasks_turns", "kind", "user_id", "started_at"),
    )


class TaskLine(Table):
    __tablename__ = "task_lines"

    task_id: Mapped[str] = mapped_column(sa.ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # from 0
    text: Mapped[str] = mapped_column(sa.Text)
