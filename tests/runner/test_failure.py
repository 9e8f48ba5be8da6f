"""The words an author reads when content does not start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rostra.runner import failure
from rostra.runner.failure import Failure


def raised(code: str, folder: Path) -> BaseException:
    """Return what ``code`` raises when it is run as ``app.py`` in ``folder``."""
    file = folder / "app.py"
    file.write_text(code)
    try:
        exec(compile(code, str(file), "exec"), {"__name__": "app"})
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("module", "package"),
    [("pandas", "pandas"), ("sklearn.linear_model", "scikit-learn"), ("PIL", "pillow"), ("yaml", "pyyaml")],
)
def test_a_missing_module_names_the_package_to_add(module: str, package: str) -> None:
    assert failure.missing(module).hint == f"Add {package} to requirements.txt."


@pytest.mark.parametrize(
    ("module", "instead"),
    [("imp", "an older Python"), ("distutils.version", "setuptools"), ("asyncore", "an older Python")],
)
def test_what_left_the_standard_library_is_not_said_to_be_a_package(module: str, instead: str) -> None:
    said = failure.missing(module)
    assert said.message.startswith(f"{module!r} was part of Python once")
    assert "requirements.txt" not in said.hint
    assert instead in said.hint


@pytest.mark.parametrize(
    ("code", "sentence", "why"),
    [
        ("import nothing_like_it", "app.py cannot be imported: no module named 'nothing_like_it'", "missing module"),
        ("1 / 0", "app.py failed while it was imported: ZeroDivisionError: division by zero", "ordinary exception"),
        ("raise ValueError('a\\nb')", "app.py failed while it was imported: ValueError: a", "only the first line"),
        ("raise SystemExit(3)", "app.py ended the process while it was imported (exit status 3).", "exits"),
        ("def f(:\n  pass", "app.py cannot be imported: line 1 of app.py is not valid Python here", "syntax"),
    ],
)
def test_an_import_that_fails_is_said_in_one_sentence(code: str, sentence: str, why: str, tmp_path: Path) -> None:
    said = failure.while_importing(raised(code, tmp_path), "app.py")
    assert said.message.startswith(sentence)


def test_only_the_authors_frames_are_shown(tmp_path: Path) -> None:
    error = raised("import json\n\ndef load():\n    return json.loads('{')\n\nload()\n", tmp_path)
    shown = failure.trimmed(error, str(tmp_path))
    assert [line for line in shown if line.startswith("  File")] == [
        '  File "app.py", line 6, in <module>',
        '  File "app.py", line 4, in load',
    ]
    assert shown[-1].startswith("json.decoder.JSONDecodeError")


def test_the_first_line_has_the_sentence_and_what_to_do(tmp_path: Path) -> None:
    problem = Failure("It broke.", "Mend it.", raised("1 / 0", tmp_path))
    printed = failure.lines(problem, str(tmp_path))
    assert printed[0] == "rostra: It broke. Mend it."
    assert printed[1:] == failure.trimmed(problem.cause or Failure(""), str(tmp_path))


def test_no_frame_of_the_machinery_is_shown(tmp_path: Path) -> None:
    shown = "\n".join(failure.trimmed(raised("import nothing_like_it", tmp_path), str(tmp_path)))
    assert "importlib" not in shown
    assert str(Path(sys.prefix)) not in shown
