"""What authors write as entrypoints, and what is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.runner import entrypoint
from rostra.runner.failure import Failure


@pytest.mark.parametrize(
    ("text", "module", "names", "why"),
    [
        ("app", "app", entrypoint.OBJECT_NAMES, "a bare module: the usual names are tried"),
        ("app.py", "app", entrypoint.OBJECT_NAMES, "a file"),
        ("./app.py", "app", entrypoint.OBJECT_NAMES, "a file, written as a path"),
        ("pkg/web.py", "pkg.web", entrypoint.OBJECT_NAMES, "a file in a folder"),
        ("main:api", "main", ("api",), "module and object"),
        ("app.py:api", "app", ("api",), "file and object"),
        ("myproj.__connect__:app", "myproj.__connect__", ("app",), "a dotted package"),
        ("main:service.app", "main", ("service.app",), "an object in an object"),
        ("überblick:äpp", "überblick", ("äpp",), "identifiers need not be ASCII"),
        (" app:app ", "app", ("app",), "spaces around it"),
    ],
)
def test_entrypoints_are_read(text: str, module: str, names: tuple[str, ...], why: str) -> None:
    read = entrypoint.parse(text)
    assert (read.module, read.names) == (module, names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "app:",
        ":app",
        "app:create()",
        "a b",
        "app;import os",
        "1app",
        "../app",
        "app:__import__('os')",
        "my-app",
    ],
)
def test_what_is_no_entrypoint_is_refused(text: str) -> None:
    with pytest.raises(Failure) as caught:
        entrypoint.parse(text)
    assert "app:app" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("app", "app"),
        ("app.py", "app"),
        ("app:main", "app"),
        ("pages.main", "pages/main"),
        ("a/b.py", "a/b"),
        ("x.md", "x"),
    ],
)
def test_script_frameworks_take_the_module_as_a_file(text: str, path: str) -> None:
    assert entrypoint.script(text) == path


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("shiny.express.app:app_2e_py", "app.py"),
        ("shiny.express.app:my_2d_app_2e_py", "my-app.py"),
        ("shiny.express.app:_32_nd_2e_py", "2nd.py"),
        ("shiny.express.app:a_5f_b_2f_c_2e_py", "a_b/c.py"),
        ("app:app", ""),
        ("shiny.express.app", ""),
    ],
)
def test_express_entrypoints_name_a_file(text: str, file: str) -> None:
    assert entrypoint.express_file(text) == file


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_the_escape_can_be_undone(name: str) -> None:
    escaped = "".join(
        char if char.isascii() and char.isalnum() and not (position == 0 and char.isdigit()) else f"_{ord(char):x}_"
        for position, char in enumerate(name)
    )
    assert entrypoint.unescape(escaped) == name
