"""Puts parameters into a notebook the way its author can try out: one cell of assignments behind the tagged one.

The convention of papermill: a cell tagged ``parameters`` holds the defaults, and a cell tagged ``injected-parameters``
follows it. Without the tag the new cell comes first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

TAG, INJECTED = "parameters", "injected-parameters"


def inject(notebook: NotebookNode, parameters: Mapping[str, Any]) -> str:
    """Add the cell and return a sentence that says where. One that an earlier run left is replaced."""
    cells = [cell for cell in notebook.cells if INJECTED not in _tags(cell)]
    behind = next((index for index, cell in enumerate(cells) if TAG in _tags(cell)), None)
    source = "\n".join(["# Parameters", *(f"{name} = {literal(value)}" for name, value in parameters.items())])
    cell = new_code_cell(source=source, metadata={"tags": [INJECTED]})  # type: ignore[no-untyped-call]
    cells.insert(0 if behind is None else behind + 1, cell)
    notebook.cells = cells
    names = ", ".join(parameters)
    if behind is None:
        return f"Setting {names} at the beginning: no cell is tagged parameters"
    return f"Setting {names} behind the cell tagged parameters"


def literal(value: Any) -> str:
    """Return Python source for a value that came from JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{str(key)!r}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def _tags(cell: NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    return tags if isinstance(tags, list) else []
