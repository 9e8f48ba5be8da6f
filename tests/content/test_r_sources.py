"""Where R packages are used in a bundle's files, and what an renv.lock says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rostra.content import r_sources
from rostra.content.r_sources import Use

SCRIPT = """
library(shiny)
suppressMessages(require("dplyr", quietly = TRUE))   # library(notthis)
x <- zoo::rollmean(1:9, 3); print("library(quoted) and a::b")
library(name, character.only = TRUE)
if (requireNamespace("optional")) 1
utils:::head.default(x)
mine.library(other)
"""
DOCUMENT = """---
title: library(yaml)
---
Text with library(prose).

```{python}
library(python)
```

```{r setup, include=FALSE}
library(ggplot2)
```
```r
library(shown)
```
"""


@pytest.mark.parametrize(
    ("text", "file", "found"),
    [
        (SCRIPT, "app.R", [("shiny", 2), ("dplyr", 3), ("zoo", 4), ("utils", 7)]),
        (DOCUMENT, "report.Rmd", [("ggplot2", 11)]),
        ("", "empty.R", []),
        ("library()\nlibrary(help = 'x')\nlibrary(\n", "odd.R", []),
    ],
)
def test_packages_are_found_where_they_are_used(text: str, file: str, found: list[tuple[str, int]]) -> None:
    assert r_sources.uses(text, file) == [Use(name, file, line) for name, line in found]


def test_a_folder_is_looked_through_without_what_is_installed_in_it(tmp_path: Path) -> None:
    for name in ("R/util.R", "app.R", "renv/activate.R", ".hidden/x.R", "data.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("library(shiny)\nlibrary(" + Path(name).stem + ")\n")
    (tmp_path / "link.R").symlink_to("/etc/hostname")
    found = r_sources.read(tmp_path).uses
    assert {name: str(use) for name, use in found.items()} == {
        "app": "app.R, line 2",
        "shiny": "app.R, line 1",
        "util": "R/util.R, line 2",
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            json.dumps(
                {"R": {"Version": "4.2.1"}, "Packages": {"zoo": {"Package": "zoo", "Version": "1.8-12"}, "x": 3}}
            ),
            ({"zoo": "1.8-12"}, "4.2.1"),
        ),
        ("{", ({}, "")),
        ("[]", ({}, "")),
        ('{"Packages": []}', ({}, "")),
        ("[" * 100_000, ({}, "")),
    ],
)
def test_an_renv_lock_is_read_as_far_as_it_is_one(text: str, found: tuple[dict[str, str], str]) -> None:
    assert r_sources.lock(text) == found
