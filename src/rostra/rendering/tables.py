"""Variants of documents, who hears of their renderings, and when those are made."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class Variant(Table):
    """One way to render a document: its parameters and its readers.

    ``visibility``: ``public`` (everybody who may see the item) or ``private`` (its owner). A rendering without a
    variant belongs to the default one. ``ad_hoc``: made for one look, private, in no list, and gone after a while.
    """

    __tablename__ = "variants"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"))
    key: Mapped[str]  # eight letters and digits, in its address
    name: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=False)
    ad_hoc: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    visibility: Mapped[str] = mapped_column(default="public")
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    email_collaborators: Mapped[bool] = mapped_column(default=False)
    email_viewers: Mapped[bool] = mapped_column(default=False)
    email_all: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        sa.UniqueConstraint("item_id", "key"),
        {"info": {"audit-private-where": ("ad_hoc", ("name",))}},  # its name is its values
    )


class Subscriber(Table):
    """Somebody who gets each mailed report of a variant."""

    __tablename__ = "subscribers"

    variant_id: Mapped[int] = mapped_column(sa.ForeignKey("variants.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class FailureSubscriber(Table):
    """Somebody besides the owner who hears when a scheduled rendering of an item, or polling its repository, fails."""

    __tablename__ = "failure_subscribers"

    item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class ScheduleRow(Table):
    """When a variant is rendered. ``every`` and ``payload`` are the wire's type and JSON text.

    ``next_run`` None: never, because it is paused or has no further run. ``activate`` False: what is rendered is kept
    but not shown.
    """

    __tablename__ = "schedules"

    id: Mapped[int] = mapped_column(primary_key=True)
    variant_id: Mapped[int] = mapped_column(sa.ForeignKey("variants.id", ondelete="CASCADE"), unique=True)
    every: Mapped[str]
    payload: Mapped[str] = mapped_column(sa.Text)
    start_at: Mapped[dt.datetime]
    zone: Mapped[str]
    email: Mapped[bool] = mapped_column(default=False)
    activate: Mapped[bool] = mapped_column(default=True)
    paused: Mapped[bool] = mapped_column(default=False)
    next_run: Mapped[dt.datetime | None] = mapped_column(index=True)
    created_by_id: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
