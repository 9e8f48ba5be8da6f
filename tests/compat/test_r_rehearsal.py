"""What becomes of R content when the Python behind it changes: rehearsed with a real R, Python by Python."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from compat.test_r import pytestmark as _needs_r
from support import interpreters
from support.direct import new_item
from support.server import BIN, Server, running_server

pytestmark = [*_needs_r, pytest.mark.interpreters, pytest.mark.xdist_group("r-rehearsal")]

REPORT = "---\ntitle: A report\noutput: html_document\n---\n\n```{r}\nlibrary(reticulate)\n```\n\nWords.\n\n"
CHUNK = REPORT + "```{python}\nimport textwrap\nimport %s\nprint(textwrap.wrap('a b', 2))\n```\n"
SOURCED = REPORT + "```{python}\nimport helper\nprint(helper.answer())\n```\n"
HELPER = "import random\n\n\ndef answer():\n    return random.sample({1, 2}, 1)\n"
API = "library(reticulate)\n\n%s\n#* @get /\n#* @serializer unboxedJSON\nfunction() {\n  list(n = %s)\n}\n"
APP = """library(shiny)
library(reticulate)

random <- import("random")
ui <- fluidPage(sliderInput("n", "How many", 1, 9, 4), uiOutput("more"), textOutput("waits"))

server <- function(input, output, session) {
  %s
  output$more <- renderUI(textOutput("told"))
  output$told <- renderText(random$sample(%s, 1L))
  output$waits <- renderText({ req(input$nobody); "x" })
}

shinyApp(ui, server)
"""
SET, LIST = "py_eval('{1, 2}', convert = FALSE)", "py_eval('[1, 2]', convert = FALSE)"

# Python 3.11 has no binhex and takes no sample of a set; 3.12 has no imp, which reticulate 1.28 itself wants.
BROKEN: dict[str, tuple[str, dict[str, str], str, str]] = {
    "chunk": ("rmd-static", {"report.Rmd": CHUNK % "binhex"}, "report.Rmd:14", "No module named 'binhex'"),
    "sourced": (
        "rmd-static",
        {"report.Rmd": SOURCED, "helper.py": HELPER},
        "helper.py:5",
        "report.Rmd, lines 13-15: TypeError: Population must be a sequence",
    ),
    "api-load": ("api", {"plumber.R": API % ("b <- import('binhex')", "b$LINELEN")}, "plumber.R:3", "'binhex'"),
    "api-page": (
        "api",
        {"plumber.R": API % ("source_python('helper.py')", "answer()"), "helper.py": HELPER},
        "helper.py:5",
        "Answers 500: TypeError: Population must be a sequence",
    ),
    "app-load": (
        "shiny",
        {"app.R": APP.replace("ui <-", 'import("binhex")\nui <-') % ("", LIST)},
        "app.R:5",
        "No module named 'binhex'",
    ),
    "app-session": ("shiny", {"app.R": APP % ("import('binhex')", LIST)}, "app.R:8", "its server function failed"),
    "app-output": ("shiny", {"app.R": APP % ("", SET)}, "", "the output told failed: TypeError"),
    "api-later": (
        "api",
        {"plumber.R": API % ("later <- function() import('binhex')", "1")},
        "plumber.R:3",
        "only reached when a function is called",
    ),
}
CLEAN: dict[str, tuple[str, dict[str, str]]] = {
    "chunk-clean": ("rmd-static", {"report.Rmd": CHUNK % "json"}),
    "api-clean": ("api", {"plumber.R": API % ("j <- import('json')", "j$dumps('x')")}),
    "app-clean": ("shiny", {"app.R": APP % ("import('json')", LIST)}),
    "live-clean": (
        "rmd-shiny",
        {"live.Rmd": "---\nruntime: shiny\n---\n\n```{r}\nrenderText(reticulate::import('json')$dumps('x'))\n```\n"},
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pythons = [interpreters.minor(minor) for minor in ("3.9", "3.11", "3.13")]
    if None in pythons:
        pytest.skip("no Python 3.9, 3.11 and 3.13 on this machine")
    version = next(each for each in interpreters.installed() if each.startswith("3.9."))
    python = {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    given = [path for path in pythons if path]
    with running_server(tmp_path_factory.mktemp("rr"), given, "[R]\nEnabled = true\n") as running:
        for title, (mode, files, *_) in (CLEAN | BROKEN).items():
            document = next((name for name in files if name.endswith(".Rmd")), None)
            metadata = {"appmode": mode, "entrypoint": None, "primary_rmd": document}
            item = new_item(running, title=title)
            item.deploy({**files, "requirements.txt": ""}, metadata=metadata, python=python)
        yield running


def rehearsed(server: Server, onto: str) -> dict[str, dict[str, Any]]:
    """Rehearse by the command, and return the results by title."""
    words = ["--retire", "3.9", "--onto", onto, "--format", "json", "--server", server.url, "--api-key", server.key]
    done = subprocess.run(
        [BIN / "rostra", "runtimes", "rehearse", *words],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=dict(os.environ),
    )
    assert done.stdout, done.stderr
    return {each["title"]: each for each in json.loads(done.stdout)["items"]}


@pytest.fixture(scope="module")
def results(server: Server) -> dict[str, dict[str, Any]]:
    return rehearsed(server, "3.11")


@pytest.mark.parametrize("title", CLEAN)
def test_what_works_is_safe(results: dict[str, dict[str, Any]], title: str) -> None:
    found = results[title]
    assert (found["outcome"], found["depth"]) == ("safe", "static"), found
    assert found["reason"] == "It has the same packages, starts and answers as today."


@pytest.mark.parametrize("title", BROKEN)
def test_what_breaks_is_told_with_its_reason_and_line(results: dict[str, dict[str, Any]], title: str) -> None:
    found = results[title]
    _, _, where, words = BROKEN[title]
    assert found["outcome"] == "needs-work", found
    assert found["where"] == where, found
    assert words in found["reason"], found
    assert not found["broken_today"]


def test_it_goes_onto_a_python_that_lacks_what_reticulate_imports(server: Server) -> None:
    found = rehearsed(server, "3.13")
    assert {title: found[title]["outcome"] for title in CLEAN} == dict.fromkeys(CLEAN, "safe"), found
    assert found["chunk"]["where"] == "report.Rmd:14"
