"""Checks a script's first imports without running it: scripts only run when somebody visits. Pure but for find_spec."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Iterator, List

from .failure import Failure, missing, while_importing


def check(script: Path) -> None:
    """Make sure that ``script`` is Python and that what it imports at its top is installed.

    Raises:
        Failure: it is not there, is not valid Python, or a module is missing.
    """
    try:
        tree = ast.parse(script.read_bytes(), str(script))
    except (SyntaxError, ValueError) as error:
        raise while_importing(error, script.name) from error
    for name in first_imports(tree.body):
        if not (_is_beside(script, name) or _exists(name)):
            failure = missing(name)
            raise Failure(f"{script.name} cannot run: {failure.message[0].lower()}{failure.message[1:]}", failure.hint)


def first_imports(body: List[ast.stmt]) -> Iterator[str]:
    """Yield the top packages of the imports a script begins with.

    Ends at the first other statement: what follows may depend on it (a changed path, a condition).
    """
    for position, statement in enumerate(body):
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            if statement.level == 0 and statement.module:
                yield statement.module.partition(".")[0]
        elif position > 0 or not _is_docstring(statement):
            return


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_beside(script: Path, name: str) -> bool:
    """Frameworks put the script's own folder on the path, which need not be the bundle's top."""
    return (script.parent / name).is_dir() or (script.parent / (name + ".py")).is_file()


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return True  # odd, but there
