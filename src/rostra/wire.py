"""The kinds of text answers are made of, as the API's description tells them. To the type checker they are text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import WithJsonSchema

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Guid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
Id = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9]+$"})]
"""A number, written as text."""


def one_of(values: Iterable[str]) -> WithJsonSchema:
    """Return the description of text that is one of these; for columns, which the type checker knows as any text."""
    return WithJsonSchema({"type": "string", "enum": [str(value) for value in values]})


def text(least: int = 0, most: int | None = None, *, null: bool = False, pattern: str = "") -> WithJsonSchema:
    """Return the description of text that is checked elsewhere; with ``least`` it may not be left empty."""
    found: dict[str, Any] = {"type": "string"}
    if least:
        found["minLength"] = least
    if most is not None:
        found["maxLength"] = most
    if pattern:
        found["pattern"] = pattern
    return _or_null(found, null)


def choice(values: Iterable[str], *, null: bool = False) -> WithJsonSchema:
    """Return the description of text that has to be one of these, which is checked elsewhere."""
    return _or_null({"type": "string", "enum": [str(value) for value in values]}, null)


def several(values: Iterable[str]) -> WithJsonSchema:
    """Return the description of text that is some of these with ``|`` between them, or empty; checked elsewhere."""
    any_of = "|".join(re.escape(str(value)) for value in values)
    return WithJsonSchema({"type": "string", "pattern": rf"^(({any_of})(\|({any_of}))*)?$"})


def number(least: float = 0, most: float | None = None, *, whole: bool = True, null: bool = True) -> WithJsonSchema:
    """Return the description of a number that is checked elsewhere."""
    found: dict[str, Any] = {"type": "integer" if whole else "number", "minimum": least}
    if most is not None:
        found["maximum"] = most
    return _or_null(found, null)


def _or_null(schema: dict[str, Any], null: bool) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}]} if null else schema)
