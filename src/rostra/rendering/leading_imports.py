"""Which imports a notebook begins with: those that can be made before it is run, and nobody could tell. Pure.

The walk over the cells ends at the first statement that might change what a later import does. Only libraries whose
import depends on nothing but their files, the variables and the working folder are imported ahead; those three are the
same when the notebook runs.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

# Long to import and widely used. Not here: what reads credentials, asks a network or looks at the clock on import.
KNOWN = frozenset(
    (
        "altair",
        "bokeh",
        "bs4",
        "dateutil",
        "duckdb",
        "great_tables",
        "itables",
        "IPython",
        "ipywidgets",
        "jinja2",
        "lxml",
        "matplotlib",
        "networkx",
        "numpy",
        "openpyxl",
        "pandas",
        "patsy",
        "PIL",
        "plotly",
        "plotnine",
        "polars",
        "pyarrow",
        "pytz",
        "requests",
        "scipy",
        "seaborn",
        "shapely",
        "skimage",
        "sklearn",
        "sqlalchemy",
        "statsmodels",
        "sympy",
        "tabulate",
        "tqdm",
        "xarray",
        "yaml",
    )
)
_INLINE = re.compile(r"^%matplotlib inline[ \t]*$", re.MULTILINE)
_LONGEST = 200_000  # characters of a cell that are looked at; imports do not stand in longer ones


class Import(NamedTuple):
    """``from module import names``, or ``import module`` without names."""

    module: str
    names: tuple[str, ...] = ()


def leading_imports(cells: Iterable[str], own: Collection[str] = ()) -> tuple[Import, ...]:
    """Return what is imported before anything else happens. ``own`` are the modules that lie beside the notebook."""
    return tuple(dict.fromkeys(found for found in _walk(cells, own) if _top(found.module) in KNOWN))


def _walk(cells: Iterable[str], own: Collection[str]) -> Iterator[Import]:
    for cell in cells:
        try:
            statements = ast.parse(_INLINE.sub("", cell[: _LONGEST + 1])).body if len(cell) <= _LONGEST else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return  # a magic that may do anything, or what only a newer Python understands
        if statements is None:
            return
        for statement in statements:
            found = _imports(statement)
            if found is None and not _harmless(statement):
                return
            for each in found or ():
                top = _top(each.module)
                if top in own or not (top in KNOWN or top in sys.stdlib_module_names):
                    return
                yield each


def _imports(statement: ast.stmt) -> tuple[Import, ...] | None:
    if isinstance(statement, ast.Import):
        return tuple(Import(alias.name) for alias in statement.names)
    if isinstance(statement, ast.ImportFrom) and statement.level == 0 and statement.module:
        return (Import(statement.module, tuple(alias.name for alias in statement.names if alias.name != "*")),)
    return None


def _harmless(statement: ast.stmt) -> bool:
    """Say whether it only names a plain value."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if not isinstance(statement, ast.Assign):
        return False
    named = all(isinstance(each, ast.Name) and not each.id.startswith("__") for each in statement.targets)
    return named and _plain(statement.value)


def _plain(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _top(module: str) -> str:
    return module.partition(".")[0]
