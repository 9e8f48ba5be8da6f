"""What differs between what two interpreters say of a bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rostra.rehearsal import check_code, static
from rostra.rehearsal.model import Checked, Remark, Weight

Files = Mapping[str, str]


def seen(tmp_path: Path, files: Files, python: Path | str = sys.executable) -> dict[str, Any]:
    """Return what an interpreter really says of these files."""
    folder = tmp_path / "bundle"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    out = tmp_path / "out.json"
    subprocess.run([python, "-I", "-S", check_code.__file__, folder, out], check=True, timeout=60)
    told: dict[str, Any] = json.loads(out.read_text())
    return told


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the same as an interpreter would say it that lacks some modules and names."""
    has = {name: there for name, there in told["has"].items() if name.split(".")[0] not in names}
    return {
        **told,
        "standard": {top: there and top not in names for top, there in told["standard"].items()},
        "has": {name: there and name not in names for name, there in has.items()},
        "methods": {m: [n for n in found if n not in names] for m, found in told["methods"].items() if m not in names},
    }


def check(
    tmp_path: Path, files: Files, *gone: str, kind: str = "python-api", entrypoint: str = "app:app"
) -> list[tuple[str, str, bool]]:
    """Return (where, weight, lazy) of each remark when ``gone`` are not there any more."""
    told = seen(tmp_path, files)
    roots = static.roots_of(kind, entrypoint, [each["file"] for each in told["files"]])
    found = static.compare(told, without(told, *gone), roots)
    return [(each.where, each.weight.value, each.lazy) for each in found.remarks]


@pytest.mark.parametrize(
    ("files", "gone", "expected", "why"),
    [
        ({"app.py": "import json\n"}, "json", [("app.py:1", "breaks", False)], "a module"),
        ({"app.py": "from json import dumps\n"}, "json", [("app.py:1", "breaks", False)], "said once for a line"),
        ({"app.py": "import json\njson.dumps\n"}, "json.dumps", [("app.py:2", "breaks", False)], "a name"),
        ({"app.py": "import json as j\nj.dumps\n"}, "json.dumps", [("app.py:2", "breaks", False)], "under an alias"),
        ({"app.py": "def f():\n    import json\n"}, "json", [("app.py:2", "breaks", True)], "when called"),
        ({"app.py": "try:\n    import json\nexcept ImportError:\n    json = None\n"}, "json",
         [("app.py:2", "maybe", False)], "the author prepared"),
        ({"app.py": "import sys\nif sys.version_info < (3, 9):\n    import json\n"}, "json",
         [("app.py:3", "maybe", False)], "by version"),
        ({"app.py": "if __name__ == '__main__':\n    import json\n"}, "json", [("app.py:2", "maybe", False)],
         "as a script"),
        ({"app.py": "", "old.py": "import json\n"}, "json", [("old.py:1", "maybe", False)], "nobody imports it"),
        ({"app.py": "import old\n", "old.py": "import json\n"}, "json", [("old.py:1", "breaks", False)], "imported"),
        ({"app.py": "from pkg import old\n", "pkg/__init__.py": "", "pkg/old.py": "from . import new\n",
          "pkg/new.py": "import json\n"}, "json", [("pkg/new.py:1", "breaks", False)], "two steps away"),
        ({"app.py": "def f():\n    import old\n", "old.py": "import json\n"}, "json",
         [("old.py:1", "breaks", True)], "imported when called"),
        ({"app.py": "import json\n", "json.py": ""}, "json", [], "the author's own module of that name"),
        ({"app.py": "import json\ndef f(json):\n    return json.dumps\n"}, "json.dumps", [],
         "another thing of that name"),
        ({"app.py": "import threading\nthreading.Thread().is_alive()\n"}, "is_alive", [("app.py:2", "maybe", False)],
         "a method; the type is a guess"),
        ({"app.py": "import importlib\nimportlib.import_module('json')\n"}, "json", [("app.py:2", "breaks", False)],
         "imported by name"),
        ({"app.py": "import nothing_like_it\n"}, "json", [], "not a standard module"),
    ],
)  # fmt: skip
def test_what_breaks(tmp_path: Path, files: Files, gone: str, expected: list[tuple[str, str, bool]], why: str) -> None:
    assert check(tmp_path, files, gone) == expected, why


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path) -> None:
    cells = ["%matplotlib inline\n!ls\nx = !ls", "%%bash\nimport nonsense", ["import json\n", "await json.x"]]
    book = {"cells": [{"cell_type": "code", "source": cell} for cell in cells], "metadata": {}}
    told = seen(tmp_path, {"book.ipynb": json.dumps(book)})
    assert [each["syntax"] for each in told["files"]] == [None, None, None]
    found = static.compare(
        told, without(told, "json"), static.roots_of("jupyter-static", "book.ipynb", ["book.ipynb cell 1"])
    )
    assert [each.where for each in found.remarks] == ["book.ipynb cell 3:1"]


def test_a_cell_knows_what_earlier_ones_imported(tmp_path: Path) -> None:
    book = {"cells": [{"cell_type": "code", "source": cell} for cell in ("import json", "json.dumps")], "metadata": {}}
    told = seen(tmp_path, {"book.ipynb": json.dumps(book)})
    found = static.compare(told, without(told, "json.dumps"), ["book.ipynb"])
    assert [each.where for each in found.remarks] == ["book.ipynb cell 2:1"]


def test_what_does_not_compile_today_is_not_reported(tmp_path: Path) -> None:
    told = seen(tmp_path, {"app.py": "print 'x'\n"})
    assert static.compare(told, told, ["app.py"]).remarks == ()


def test_what_stops_compiling_is(tmp_path: Path) -> None:
    told = seen(tmp_path, {"app.py": "x = 1\n"})
    then = {**told, "files": [{**told["files"][0], "syntax": [1, "no longer allowed"]}]}
    found = static.compare(told, then, ["app.py"])
    assert [each.text for each in found.remarks] == ["does not compile any more: no longer allowed"]


def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    deep = "(" * 5000 + ")" * 5000
    files = {
        "app.py": "x = 1\n",
        "deep.py": deep,
        "nul.py": "x = '\0'\n",
        "bad.ipynb": "{",
        "odd.ipynb": '{"cells": 3}',
    }
    told = seen(tmp_path, files)
    assert {each["file"]: each["syntax"] is None for each in told["files"]} == {
        "app.py": True,
        "deep.py": False,
        "nul.py": False,
    }


@pytest.mark.parametrize(
    ("names", "modules", "left", "why"),
    [
        ((), (), 1, "nobody brings it back"),
        (("setuptools",), (), 0, "known to bring it back"),
        ((), ("distutils",), 0, "found in the environment"),
        (("standard-distutils",), (), 0, "a package made for that"),
    ],
)
def test_environments_bring_modules_back(names: tuple[str, ...], modules: tuple[str, ...], left: int, why: str) -> None:
    checked = Checked(remarks=(Remark(file="app.py", line=1, text="imports distutils", module="distutils"),))
    assert len(static.provided(checked, names, modules).remarks) == left, why


def test_worst_comes_first() -> None:
    file = {"file": "app.py", "syntax": None, "warnings": [[9, "old"]], "local": [], "methods": [],
            "refs": [["a", 5, True, False, True], ["b", 7, False, True, True], ["c", 8, False, False, True]],
    }  # fmt: skip
    today = {"files": [{**file, "warnings": []}], "standard": dict.fromkeys("abc", True), "has": {}, "methods": {}}
    then = {"files": [file], "standard": dict.fromkeys("abc", False), "has": {}, "methods": {}}
    found = static.compare(today, then, ["app.py"]).remarks
    assert [(each.line, each.weight) for each in found] == [
        (8, Weight.breaks), (7, Weight.breaks), (5, Weight.maybe), (9, Weight.note)]  # fmt: skip


@pytest.mark.interpreters
def test_real_interpreters_say_what_was_removed(tmp_path: Path, python_minor: Any) -> None:
    code = "import imp\nimport collections\ndef f(x):\n    return isinstance(x, collections.Mapping)\n"
    today, then = (seen(tmp_path, {"app.py": code}, python_minor(minor)) for minor in ("3.8", "3.13"))
    found = static.compare(today, then, ["app.py"]).remarks
    assert [(each.line, each.lazy) for each in found] == [(1, False), (4, True)]
    assert static.compare(then, then, ["app.py"]).remarks == ()


@pytest.mark.parametrize(
    ("files", "gone", "expected", "why"),
    [
        ({"r.Rmd": "Words\n```{python}\nimport os\nimport json\n```\n"}, "json", [("r.Rmd:4", "breaks", False)],
         "a chunk, with the document's own lines"),
        ({"r.Rmd": "```{python}\nimport json\n```\n\n  ```{python}\n  json.dumps\n  ```\n"}, "json.dumps",
         [("r.Rmd:6", "breaks", False)], "chunks go on where the last ended, indented or not"),
        ({"r.Rmd": "```{python, eval=FALSE}\nimport json\n```\n"}, "json", [], "a chunk that is not run"),
        ({"r.Rmd": "```python\nimport json\n```\n"}, "json", [], "code that is only shown"),
        ({"r.Rmd": "````{verbatim}\n```{python}\nimport json\n```\n````\n"}, "json", [], "a chunk within a text"),
        ({"r.Rmd": "```{r}\njson <- import('json')\n```\n"}, "json", [("r.Rmd:2", "breaks", False)], "R asks for it"),
        ({"app.R": 'json <- reticulate::import("json")\nx <- json$dumps(1)\n'}, "json.dumps",
         [("app.R:2", "breaks", False)], "a name, in R"),
        ({"app.R": "f <- function() {\n  import('json')\n}\n"}, "json", [("app.R:2", "breaks", True)], "when called"),
        ({"app.R": "f <- function() import('json')\n"}, "json", [("app.R:1", "breaks", True)], "in one line"),
        ({"app.R": "x <- tryCatch(\n  import('json'),\n  error = identity\n)\ny <- import('json')\n"}, "json",
         [("app.R:5", "breaks", False), ("app.R:2", "maybe", True)], "the author prepared, but not there"),
        ({"app.R": "# import('json')\nx <- '# import'\n"}, "json", [], "a comment"),
        ({"app.R": "source_python('lib/a.py')\n", "lib/a.py": "import json\n", "old.py": "import json\n"}, "json",
         [("lib/a.py:1", "breaks", False), ("old.py:1", "maybe", False)], "what R sources, and what nobody does"),
        ({"app.R": "x <- json$dumps\n"}, "json.dumps", [], "another thing of that name"),
    ],
)  # fmt: skip
def test_python_in_r_content(
    tmp_path: Path, files: Files, gone: str, expected: list[tuple[str, str, bool]], why: str
) -> None:
    assert check(tmp_path, files, gone, kind="shiny", entrypoint="") == expected, why
