"""The outbox: one row for each mail to one person."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class Mail(Table):
    """One mail. Waiting: ``ended_at`` None. Being sent: ``leased_until`` in the future. Ended: ``sent`` says how.

    ``key`` names what it tells of and to whom, so that telling it twice is one mail. ``page`` and the ``path`` of
    attachments are files under the data folder; what is gone by the time of sending is left out.
    """

    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    message_id: Mapped[str]
    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str] = mapped_column(sa.Text)
    html: Mapped[str] = mapped_column(sa.Text)
    page: Mapped[str | None]
    page_url: Mapped[str | None]
    attachments: Mapped[list[Any]] = mapped_column(sa.JSON)  # [{"name", "path"}]
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    leased_until: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    sent: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(sa.Text, default="")

    __table_args__ = (sa.Index("mails_waiting", "ended_at", "due_at"),)
