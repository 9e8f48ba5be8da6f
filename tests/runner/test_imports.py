"""Scripts are checked without being run, and only as far as that is certain."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rostra.runner import imports
from rostra.runner.failure import Failure


@pytest.mark.parametrize(
    ("code", "found", "why"),
    [
        ('"""Doc."""\nimport os, sys\nfrom json.decoder import x\n', ["os", "sys", "json"], "all of the top"),
        ("import os\nos.chdir('x')\nimport later\n", ["os"], "a statement may change what can be imported"),
        ("try:\n    import maybe\nexcept ImportError:\n    pass\n", [], "an import that may fail"),
        ("from . import here\nimport os\n", ["os"], "relative imports are the author's own"),
        ("from __future__ import annotations\nimport os\n", ["__future__", "os"], "the future is a module"),
        ("x = 1\nimport os\n", [], "does not begin with imports"),
        ("", [], "empty"),
    ],
)
def test_the_first_imports_are_found(code: str, found: list[str], why: str) -> None:
    assert list(imports.first_imports(ast.parse(code).body)) == found


def test_a_script_that_can_run_passes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import json\nimport sys\n")
    imports.check(tmp_path / "app.py")


def test_what_is_beside_the_script_counts_as_installed(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/helpers.py").touch()
    (tmp_path / "pages/app.py").write_text("import helpers\n")
    imports.check(tmp_path / "pages/app.py")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_like_it", "app.py cannot run: no module named 'nothing_like_it' is installed"),
        ("def f(:\n", "app.py cannot be imported: line 1 of app.py is not valid Python"),
    ],
)
def test_a_script_that_cannot_run_is_refused(code: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(code)
    with pytest.raises(Failure) as caught:
        imports.check(tmp_path / "app.py")
    assert caught.value.message.startswith(said)
