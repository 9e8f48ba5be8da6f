"""What is known of rehearsals: each one, each of its items, what was found out once for many, and what was built."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class Rehearsal(Table):
    """``retire`` are versions or ranges; ``onto`` is a version or ``auto``; ``steps`` are those that are carried out.

    ``state`` is ``waiting``, ``running``, ``done``, ``cancelled`` or ``failed``.
    """

    __tablename__ = "rehearsals"

    id: Mapped[str] = mapped_column(primary_key=True)
    retire: Mapped[list[str]]
    onto: Mapped[str]
    steps: Mapped[list[str]]
    keep: Mapped[bool] = mapped_column(default=False)
    fresh: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="waiting")
    note: Mapped[str] = mapped_column(sa.Text, default="")
    user_id: Mapped[int | None]
    task_id: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    finished_at: Mapped[dt.datetime | None]


class RehearsedItem(Table):
    """One item of a rehearsal; ``result`` is None until it has been judged, which is how a restart goes on."""

    __tablename__ = "rehearsal_items"

    rehearsal_id: Mapped[str] = mapped_column(sa.ForeignKey("rehearsals.id", ondelete="CASCADE"), primary_key=True)
    guid: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class Finding(Table):
    """Something found out once: ``key`` names the step and everything the answer depends on."""

    __tablename__ = "rehearsal_findings"

    key: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[dict[str, Any]]
    found_at: Mapped[dt.datetime] = mapped_column(index=True)


class BuiltAside(Table):
    """An environment that a rehearsal is going to build or has built; written down first, so that none is forgotten."""

    __tablename__ = "rehearsal_environments"

    rehearsal_id: Mapped[str] = mapped_column(sa.ForeignKey("rehearsals.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
