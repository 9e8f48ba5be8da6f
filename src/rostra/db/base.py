"""The declarative base and the column types every room's tables use."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

# PostgreSQL's INTEGER ends at 2 GB, which sizes and memory limits pass; SQLite counts up only plain INTEGER keys.
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

MOST_VALUES = 20_000  # that one statement is given: SQLite takes 32,766, PostgreSQL 65,535

# Every constraint has a name, or a later migration could not drop it on SQLite.
NAMES = {
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
    "uq": "%(table_name)s_%(column_0_N_name)s_unique",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


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
    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012
        int: BigInt,
        dt.datetime: UtcTime,
        dict[str, Any]: sa.JSON,
        list[str]: sa.JSON,
    }
