"""The application is found in the author's module, or what was found instead is said."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rostra.runner import entrypoint, loading
from rostra.runner.failure import Failure

Load = Callable[[str, str], Any]
FALCON = "class App:\n    def __call__(self, environ, start_response): ...\n\nApp.__module__ = 'falcon.app'\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """A function: the code of a module, an entrypoint in which ``M`` stands for it, to the name and object found."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(code: str, text: str) -> Any:
        (tmp_path / "authored.py").write_text(code)
        importlib.invalidate_caches()
        return loading.application(entrypoint.parse(text.replace("M", "authored")))

    yield load
    for name in set(sys.modules) - before:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("code", "text", "name", "found", "why"),
    [
        ("app = 1", "M", "app", 1, "the first of the usual names"),
        ("application = 2", "M", "application", 2, "the second"),
        ("application = 2\napp = 1", "M", "app", 1, "the order of names, not of lines"),
        ("def create_app():\n    return 3", "M", "create_app", 3, "an inferred factory is called"),
        ("def make_app(config=None):\n    return 4", "M", "make_app", 4, "also with defaults"),
        ("def build():\n    return 5", "M:build", "build", 5, "a named factory: no application takes no arguments"),
        ("class s:\n    api = 6", "M:s.api", "s.api", 6, "an object in an object"),
        (FALCON + "service = App()", "M", "service", None, "the only thing that looks like an application"),
    ],
)
def test_the_application_is_found(load: Load, code: str, text: str, name: str, found: object, why: str) -> None:
    named, value = load(code, text)
    assert named == name
    assert found is None or value == found


def test_an_application_function_is_not_called_as_a_factory(load: Load) -> None:
    _, found = load("def app(environ, start_response):\n    raise RuntimeError", "M:app")
    assert found.__name__ == "app"


@pytest.mark.parametrize(
    ("code", "text", "message", "hint"),
    [
        (FALCON + "api = App()", "M:app", "authored.py has no object named app.", "It has api (falcon.App)."),
        (FALCON + "a = App()\nb = App()", "M", "authored.py has no object named app or", "It has a (falcon.App), b"),
        ("x = 1", "M", "authored.py has no object named app or", "Nothing in it looks like an application."),
        ("import nothing_like_it", "M", "authored.py cannot be imported", "Add nothing_like_it"),
        ("def create_app():\n    1 / 0", "M", "create_app() of authored.py failed", ""),
        ("raise SystemExit", "M", "authored.py ended the process", "__main__"),
    ],
)
def test_what_is_wrong_is_said(load: Load, code: str, text: str, message: str, hint: str) -> None:
    with pytest.raises(Failure) as caught:
        load(code, text)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_a_module_that_is_not_there_lists_the_files(load: Load) -> None:
    with pytest.raises(Failure) as caught:
        load("app = 1", "other:app")
    assert caught.value.message == "There is no other.py in this bundle."
    assert "authored.py" in caught.value.hint


def test_a_framework_that_is_not_installed_is_named() -> None:
    with pytest.raises(Failure, match="nothing_like_it") as caught:
        loading.framework("nothing_like_it")
    assert caught.value.hint == "Add nothing_like_it to requirements.txt."
