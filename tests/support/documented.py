"""Holds every answer of the API against its own description: no field more, none less, each of its type."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from rostra.api.answers import JSON
from rostra.api.app import description
from rostra.api.edge import MOUNT

UNDESCRIBED = {f"{MOUNT}/openapi.json"}  # the description itself


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    pattern: re.Pattern[str]
    responses: Mapping[str, Any]


@functools.cache
def document() -> dict[str, Any]:
    return description()


@functools.cache
def operations() -> list[Operation]:
    """Return every operation, those whose paths say more before those that take anything."""
    found = [
        Operation(method.upper(), path, _pattern(path), operation["responses"])
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(found, key=lambda one: (one.path.count("{"), -len(one.path)))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", path)
    last = len(parts) - 2 if path.endswith("}") else -1  # a path of several parts may stand at the end
    return re.compile(
        "".join(
            (".+" if number == last and "files" in path else "[^/]+") if part.startswith("{") else re.escape(part)
            for number, part in enumerate(parts)
        )
    )


def operation_of(method: str, path: str) -> Operation | None:
    return next((one for one in operations() if one.method == method and one.pattern.fullmatch(path)), None)


@functools.cache
def _validator(path: str, method: str, status: str, media: str) -> jsonschema_rs.Draft202012Validator | None:
    content = document()["paths"][path][method.lower()]["responses"][status].get("content", {})
    if media not in content:
        return None
    schema = {**content[media]["schema"], "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def check(method: str, path: str, status: int, media_type: str, body: bytes) -> None:
    """Fail when an answer is not as the description says; a path outside of the API is nobody's business.

    What is answered with success must be described: operation, status and media type.
    """
    path, media = path.partition("?")[0], media_type.partition(";")[0].strip()
    if not path.startswith(f"{MOUNT}/") or path in UNDESCRIBED:
        return
    there = operation_of(method, path.removeprefix(MOUNT))
    if there is None:
        assert status >= 400, f"{method} {path} answers {status} and is not described"
        return
    known = str(status) if status < 400 else "default"
    said = f"{method} {there.path} {status} {media or 'empty'}"
    assert known in there.responses, f"{said}: this status is not described"
    if not body:
        assert not there.responses[known].get("content") or status >= 400, f"{said}: there is no body"
        return
    validator = _validator(there.path, there.method, known, media)
    assert validator is not None, f"{said}: this media type is not described"
    if media == JSON:
        wrong = [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(json.loads(body))]
        assert not wrong, f"{said}: " + "; ".join(wrong[:5])
