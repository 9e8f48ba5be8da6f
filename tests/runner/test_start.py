"""The order of the path, and that the runner's own files hide nothing of the author's."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from rostra.runner import start

RUNNER = Path(start.__file__).parent


def test_the_bundle_comes_first_and_the_overlay_last() -> None:
    path = ["", "/lib/python", "/env/site-packages"]
    start.arrange_path(path, "/code", "/overlay")
    assert path == ["/code", "/lib/python", "/env/site-packages", "/overlay"]


def test_without_an_overlay_nothing_is_added() -> None:
    path = ["/lib/python", "/code"]
    start.arrange_path(path, "/code", "")
    assert path == ["/code", "/lib/python"]


def test_every_file_is_python_3_8() -> None:
    for file in RUNNER.glob("*.py"):
        ast.parse(file.read_text(), feature_version=(3, 8))


def test_nothing_is_imported_but_the_standard_library() -> None:
    for file in RUNNER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module is not None
                assert node.module.partition(".")[0] in sys.stdlib_module_names, file
            elif isinstance(node, ast.Import):
                assert all(alias.name.partition(".")[0] in sys.stdlib_module_names for alias in node.names), file


def test_no_file_has_the_name_of_a_module_python_needs_to_start_it() -> None:
    assert not {file.stem for file in RUNNER.glob("*.py")} & sys.stdlib_module_names
