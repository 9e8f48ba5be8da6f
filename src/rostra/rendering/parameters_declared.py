"""Which parameters a document says it has: the ``params`` of an R Markdown header, or a notebook's tagged cell.

Pure: text in, values out. What cannot be read has no parameters; nothing of it is run.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rostra.rendering.parameters import TAG

INPUTS = ("text", "password", "numeric", "slider", "checkbox", "select", "radio", "date", "datetime", "file")
_LARGEST_HEADER = 65_536
_LARGEST_NOTEBOOK = 20_000_000
_MOST = 100
_HEADER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the values a parameter can have, as it is called for people."""

    label: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """``value`` is the default, JSON; None when only the document's own program can tell, from ``expression``."""

    name: str
    label: str = ""
    input: str = "text"
    value: Any = None
    expression: str = ""
    choices: tuple[Choice, ...] = ()
    multiple: bool = False
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


def of_file(path: Path) -> tuple[Parameter, ...]:
    """Return what the document at ``path`` declares; nothing when it is no file, or none that has parameters."""
    notebook = path.suffix.lower() == ".ipynb"
    try:
        if not path.is_file() or (notebook and path.stat().st_size > _LARGEST_NOTEBOOK):
            return ()
        with path.open("rb") as file:
            text = file.read(_LARGEST_NOTEBOOK if notebook else _LARGEST_HEADER).decode("utf-8", "replace")
    except OSError:
        return ()
    return of_notebook(text) if notebook else of_header(text)


def of_header(text: str) -> tuple[Parameter, ...]:
    """Return the ``params`` of the YAML header that ``text`` begins with."""
    header = _HEADER.match(text[:_LARGEST_HEADER])
    if header is None:
        return ()
    try:
        found = yaml.load(header[1], _Header)  # noqa: S506 - a loader that makes plain values only
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError):
        return ()
    params = found.get("params") if isinstance(found, dict) else None
    if not isinstance(params, dict):
        return ()
    return tuple(_declared(name, said) for name, said in list(params.items())[:_MOST] if isinstance(name, str))


def of_notebook(text: str) -> tuple[Parameter, ...]:
    """Return what the cell tagged ``parameters`` sets, in its order."""
    try:
        cells = json.loads(text).get("cells")
        source = next((_source(cell) for cell in cells if TAG in _tags(cell)), "")
        body = ast.parse(_MAGIC.sub("", source[:_LARGEST_HEADER])).body
    except (ValueError, AttributeError, TypeError, RecursionError, MemoryError, SyntaxError):
        return ()
    found: dict[str, Parameter] = {}
    for line in body:
        target, value = _assigned(line)
        if target and value is not None and len(found) < _MOST:
            found[target] = _from_python(target, value)
    return tuple(found.values())


class _Expression(str):
    """R source, as ``!r`` and ``!expr`` write it."""

    __slots__ = ()


class _Header(yaml.SafeLoader):  # type: ignore[misc]
    """Plain values only, and none of them twice: a short text could otherwise stand for a very long one."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _expression(_loader: _Header, _suffix: str, node: yaml.Node) -> Any:
    return _Expression(node.value) if isinstance(node, yaml.ScalarNode) else None


_Header.add_multi_constructor("!", _expression)


def _declared(name: str, said: Any) -> Parameter:
    if not isinstance(said, dict) or "value" not in said:
        return _plain(name, said if not isinstance(said, dict) else None)
    choices, value = _choices(said.get("choices")), said["value"]
    usual = _plain(name, value)
    asked = said.get("input")
    return Parameter(
        name=name,
        label=str(said.get("label") or "")[:200],
        input=asked if asked in INPUTS else "select" if choices else usual.input,
        value=usual.value,
        expression=usual.expression,
        choices=choices,
        multiple=said.get("multiple") is True,
        minimum=_number(said.get("min")),
        maximum=_number(said.get("max")),
        step=_number(said.get("step")),
    )


def _plain(name: str, value: Any) -> Parameter:
    if isinstance(value, _Expression):
        kind = "date" if re.search(r"\bSys\.Date\b|\bas\.Date\b", value) else "text"
        return Parameter(name=name, input=kind, expression=str(value)[:1000])
    return Parameter(name=name, input=_input(value), value=_json(value))


def _input(value: Any) -> str:
    if isinstance(value, bool):
        return "checkbox"
    if isinstance(value, int | float):
        return "numeric"
    if isinstance(value, dt.datetime):
        return "datetime"
    return "date" if isinstance(value, dt.date) else "text"


def _choices(said: Any) -> tuple[Choice, ...]:
    if isinstance(said, Mapping):
        return tuple(Choice(label=str(label), value=_json(value)) for label, value in list(said.items())[:_MOST])
    if isinstance(said, list):
        return tuple(Choice(label=str(_json(value)), value=_json(value)) for value in said[:_MOST])
    return ()


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _json(value: Any) -> Any:
    """Return the value as JSON has it; None for what JSON has not."""
    if isinstance(value, _Expression):
        return None
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat(*((" ", "seconds") if isinstance(value, dt.datetime) else ()))
    if isinstance(value, list | tuple):
        return [_json(one) for one in value[:1000]]
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in list(value.items())[:1000]}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _assigned(line: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
        return line.targets[0].id, line.value
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
        return line.target.id, line.value
    return "", None


def _from_python(name: str, value: ast.expr) -> Parameter:
    try:
        told = _json(ast.literal_eval(value))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return Parameter(name=name, expression=ast.unparse(value)[:1000])
    return Parameter(name=name, input=_input(told), value=told)


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _tags(cell: Any) -> Sequence[Any]:
    metadata = cell.get("metadata") if isinstance(cell, dict) else None
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else ()
