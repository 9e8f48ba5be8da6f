"""What a document says of itself in its text: the parameters it has, and what it declares of its mail and files.

Parameters are the ``params`` of an R Markdown header, or the assignments of a notebook's tagged cell.

Pure: text in, values out. What cannot be read has no parameters; nothing of it is run.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rostra.rendering.parameters import TAG

INPUTS = ("text", "password", "numeric", "slider", "checkbox", "select", "radio", "date", "datetime", "file")
# What libraries let escape on text that makes no sense: KeyError for `!!bool maybe`, AttributeError for a false date.
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_LARGEST_HEADER = 65_536
_LARGEST_NOTEBOOK = 20_000_000
_MOST = 100
_DEEPEST = 32
_HEADER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"^#'? ?")
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
    params = _header(text).get("params")
    if not isinstance(params, dict):
        return ()
    try:
        found = tuple(_declared(name, said) for name, said in list(params.items())[:_MOST] if isinstance(name, str))
    except _UNREADABLE:
        return ()
    return found if _tellable(found) else ()


def metadata_of_file(path: Path) -> dict[str, Any]:
    """Return what the header of a document or script says under ``rsc_…``, also below ``rmd_output_metadata``.

    A script's header is in comments: ``# ---`` of Python, ``#' ---`` of R. A notebook's is its metadata.
    """
    try:
        if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST_NOTEBOOK:
            return {}
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    if path.suffix.lower() == ".ipynb":
        try:
            said = json.loads(text).get("metadata")
        except (ValueError, AttributeError, RecursionError):
            return {}
    else:
        script = path.suffix.lower() in (".py", ".r")
        said = _header(_uncommented(text[:_LARGEST_HEADER]) if script else text)
    if not isinstance(said, dict):
        return {}
    below = said.get("rmd_output_metadata")
    both = {**said, **(below if isinstance(below, dict) else {})}
    try:
        return {name: _json(value) for name, value in both.items() if isinstance(name, str) and name.startswith("rsc_")}
    except _UNREADABLE:
        return {}


def _uncommented(text: str) -> str:
    """Return a script's leading comments as text, without the mark of the cell they are in."""
    lines = [line for line in text.splitlines() if not line.startswith(("#!", "# %%"))]
    return "".join(f"{_COMMENT.sub('', line)}\n" for line in lines)


def _header(text: str) -> dict[Any, Any]:
    """Return the YAML header that ``text`` begins with; nothing when it has none that can be read."""
    header = _HEADER.match(text[:_LARGEST_HEADER])
    try:
        found = yaml.load(header[1], _Header) if header else None  # noqa: S506 - a loader that makes plain values only
    except (yaml.YAMLError, *_UNREADABLE):
        return {}
    return found if isinstance(found, dict) else {}


def of_notebook(text: str) -> tuple[Parameter, ...]:
    """Return what the cell tagged ``parameters`` sets, in its order."""
    try:
        cells = json.loads(text).get("cells")
        source = next((_source(cell) for cell in cells if TAG in _tags(cell)), "")
        found: dict[str, Parameter] = {}
        for line in ast.parse(_MAGIC.sub("", source[:_LARGEST_HEADER])).body:
            target, value = _assigned(line)
            if target and value is not None and len(found) < _MOST:
                found[target] = _from_python(target, value)
    except (SyntaxError, MemoryError, *_UNREADABLE):
        return ()
    return tuple(found.values()) if _tellable(found.values()) else ()


def _tellable(found: Iterable[Parameter]) -> bool:
    """Say whether an answer can be made of it: Python has numbers and letters that no JSON text may have."""
    try:
        json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False, allow_nan=False).encode()
    except _UNREADABLE:
        return False
    return True


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


def _json(value: Any, depth: int = 0) -> Any:
    """Return the value as JSON has it; None for what JSON has not.

    Raises:
        ValueError: no answer may hold lists in lists as deep as that.
    """
    if depth > _DEEPEST:
        raise ValueError(depth)
    if isinstance(value, _Expression):
        return None
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat(*((" ", "seconds") if isinstance(value, dt.datetime) else ()))
    if isinstance(value, list | tuple):
        return [_json(one, depth + 1) for one in value[:1000]]
    if isinstance(value, dict):
        return {str(key): _json(one, depth + 1) for key, one in list(value.items())[:1000]}
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
