from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import pytest
from packaging.version import Version

from rostra.environments.spec import Environment
from rostra.kinds import r, registry
from rostra.kinds.kind import StartContext
from rostra.runtimes.model import Runtime


def environment(version: str = "3.11.7") -> Environment:
    path = Path(f"/python/{version}/bin/python3")
    runtime = Runtime(version=Version(version), executable=path, target=path)
    return Environment(key="abc", runtime=runtime, python=Path("/env/bin/python"), root=Path("/env"), lock="")


CONTEXT = StartContext(
    entrypoint="plumber.R",
    code_dir=Path("/apps/one/1"),
    environment=None,
    overlay=None,
    socket=Path("/run/p/k/s"),
    base_path="/content/one/",
    public_url="https://h.example/content/one/",
    r=Path("/usr/bin/R"),
)


@pytest.mark.parametrize(("name", "served"), [("shiny", "shiny"), ("rmd-shiny", "document"), ("api", "plumber")])
def test_content_is_started_with_its_r(name: str, served: str) -> None:
    kind = registry.runnable(name)
    assert kind.start is not None
    assert kind.stripped, "these servers know no base path"
    start = kind.start(CONTEXT)
    assert start.argv[0] == "/usr/bin/R"
    assert start.argv[start.argv.index("--args") + 1 :] == (
        f"--kind={served}",
        "--entrypoint=plumber.R",
        "--socket=/run/p/k/s",
        "--public-url=https://h.example/content/one/",
    )
    assert start.env == {"R_CONFIG_ACTIVE": "rsconnect"}


def test_reticulate_is_bound_to_the_items_own_python() -> None:
    start = r.served("shiny")(dataclasses.replace(CONTEXT, environment=environment()))
    assert start.env["RETICULATE_PYTHON"] == "/env/bin/python"


@pytest.mark.parametrize(
    ("version", "helped"), [("3.8.18", False), ("3.11.7", False), ("3.12.1", True), ("3.13.0", True)]
)
def test_a_python_without_the_module_imp_gets_a_stand_in(version: str, helped: bool) -> None:
    assert ("PYTHONPATH" in r.variables(environment(version))) is helped


def test_the_stand_in_finds_modules_as_the_removed_one_did() -> None:
    find = runpy.run_path(str(r.R_DIR / "python/imp.py"))["find_module"]
    assert find("json")[1].endswith("json")
    assert find("this")[1].endswith("this.py")
    with pytest.raises(ImportError):
        find("there_is_no_such_module")


@pytest.mark.parametrize("script", ["serve.R", "render.R"])
def test_the_scripts_are_where_the_commands_say(script: str) -> None:
    assert (r.R_DIR / script).is_file()


@pytest.mark.parametrize(
    ("files", "named", "found"),
    [
        ("a.Rmd b.Rmd", "b.Rmd", "b.Rmd"),
        ("a.Rmd", "", "a.Rmd"),
        ("a.Rmd index.Rmd", "", "index.Rmd"),
        ("a.Rmd b.rmd", "", ""),
        ("", "", ""),
    ],
)
def test_which_document_is_rendered(tmp_path: Path, files: str, named: str, found: str) -> None:
    for name in files.split():
        (tmp_path / name).touch()
    assert r.primary_document(tmp_path, named) == found
