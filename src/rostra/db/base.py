"""The declarative base and the column types every room's tables use."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase


class UtcTime(sa.types.TypeDecorator[dt.datetime]):
    """A moment in time. Stored as UTC, refused when naive, given back aware."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=dt.UTC)


class Table(DeclarativeBase):
    type_annotation_map = {dt.datetime: UtcTime, dict[str, Any]: sa.JSON, list[str]: sa.JSON}  # noqa: RUF012
