"""What is known of each environment on disk. The folder is the truth; a row without one is dropped at start."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class EnvironmentRecord(Table):
    __tablename__ = "environments"

    key: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(default="python")
    runtime_version: Mapped[str] = mapped_column(index=True)
    runtime_path: Mapped[str]
    path: Mapped[str]  # under the data folder
    installer: Mapped[str]
    lock: Mapped[str] = mapped_column(sa.Text)
    packages: Mapped[list[dict[str, Any]]] = mapped_column(
        sa.JSON, default=list
    )  # [{"name", "version"}], names normalised
    size: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime]
