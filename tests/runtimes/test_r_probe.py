"""Probing programs that say they are R; a real one is asked in the `r` tier."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rostra.config import sections
from rostra.runtimes.r_catalog import discover_r, lacks, open_beside
from rostra.runtimes.r_probe import probe_r

pytestmark = pytest.mark.anyio
SOON = dt.timedelta(seconds=20)
R = shutil.which("R")


@pytest.fixture
def pretending(tmp_path: Path) -> Callable[..., Path]:
    """Make a program that answers as an R with these packages would, and counts how often it was asked."""

    def make(version: str = "4.2.2", packages: str = "shiny=1.7.4") -> Path:
        home, library = tmp_path / f"R-{version}", tmp_path / f"R-{version}/library"
        (home / "bin").mkdir(parents=True, exist_ok=True)
        lines = [f"version\t{version}", f"home\t{home}", "platform\tx86_64", "pandoc\t", f"library\t{library}"]
        for name, _, number in (each.partition("=") for each in packages.split()):
            (library / name).mkdir(parents=True, exist_ok=True)
            (library / name / "DESCRIPTION").write_text(f"Version: {number}\n")
            lines.append(f"package\t{name}\t{number}")
        (home / "answer").write_text("".join(f"rostra-r\t{line}\n" for line in (*lines, "end")))
        path = home / "bin/R"
        path.write_text(f"#!/bin/sh\necho asked >> {home}/asked\ncat {home}/answer\n")
        path.chmod(0o755)
        return path

    return make


def asked(path: Path) -> int:
    return len((path.parents[1] / "asked").read_text().splitlines())


async def test_an_r_is_described(pretending: Callable[..., Path]) -> None:
    path = pretending()
    (found,) = await probe_r([path], timeout=SOON, memory=None)
    installation = found.installation()
    assert (str(installation.version), dict(installation.packages)) == ("4.2.2", {"shiny": "1.7.4"})
    assert path.parents[1] in installation.mounts
    assert installation.lacking("shiny", "plumber", "pandoc") == ("plumber", "pandoc")


async def test_what_it_said_is_remembered(pretending: Callable[..., Path], tmp_path: Path) -> None:
    path, memory = pretending(), tmp_path / "cache/r.json"
    (first,) = await probe_r([path], timeout=SOON, memory=memory)
    (second,) = await probe_r([path], timeout=SOON, memory=memory)
    assert (first.remembered, second.remembered, asked(path)) == (False, True, 1)
    assert second.installation().packages == first.installation().packages


@pytest.mark.parametrize("change", ["installed", "upgraded", "program", "memory"])
async def test_it_is_asked_again_when_something_changed(
    pretending: Callable[..., Path], tmp_path: Path, change: str
) -> None:
    path, memory = pretending(), tmp_path / "r.json"
    await probe_r([path], timeout=SOON, memory=memory)
    library = path.parents[1] / "library"
    if change == "installed":
        (library / "plumber").mkdir()
    elif change == "upgraded":
        (library / "shiny/DESCRIPTION").write_text("Version: 1.8.0, as a package of the system replaces it in place\n")
    elif change == "program":
        os.utime(path, ns=(1, 1))
    else:
        memory.write_text("{")
    (again,) = await probe_r([path], timeout=SOON, memory=memory)
    assert (again.remembered, asked(path)) == (False, 2)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("#!/bin/sh\necho hello\n", "is not R: it answers something else"),
        ("#!/bin/sh\necho oh no >&2; exit 3\n", "is not R: it answers something else (oh no)"),
        ("#!/bin/sh\nsleep 60\n", "hangs: no answer within 0.3 s"),
        ("not a program", "cannot be started: Exec format error"),
    ],
)
async def test_what_is_no_r_has_a_reason(tmp_path: Path, source: str, problem: str) -> None:
    path = tmp_path / "R"
    path.write_text(source)
    path.chmod(0o755)
    limit = dt.timedelta(seconds=0.3) if "sleep" in source else SOON
    (found,) = await probe_r([path], timeout=limit, memory=None)
    assert found.problem == problem


async def test_a_path_that_leads_nowhere_has_a_reason(tmp_path: Path) -> None:
    found = await probe_r([tmp_path / "gone", tmp_path], timeout=SOON, memory=None)
    assert [each.problem for each in found] == ["does not exist", "is a folder; name the program in it, usually bin/R"]


async def test_what_an_r_cannot_do_is_said(pretending: Callable[..., Path]) -> None:
    path = pretending(packages="shiny=1.7.4 reticulate=1.28")
    catalog = await open_beside(sections.R(enabled=True, executable=(path,)), sections.Quarto(), memory=None)
    assert lacks(catalog.offer.r[0]) == (
        "no R Markdown: rmarkdown, pandoc not installed; no Plumber: plumber not installed"
    )
    assert catalog.lines()[0].startswith("R       4.2.2")


async def test_one_program_under_two_names_is_one_r(pretending: Callable[..., Path], tmp_path: Path) -> None:
    path, link = pretending(), tmp_path / "R"
    link.symlink_to(path)
    settings = sections.R(enabled=True, executable=(link, path))
    catalog = await open_beside(settings, sections.Quarto(), memory=None)
    assert [each.executable for each in catalog.offer.r] == [link]
    assert len(catalog.rows) == 2


async def test_nothing_is_looked_at_when_it_is_not_enabled(pretending: Callable[..., Path]) -> None:
    path = pretending()
    catalog = await open_beside(sections.R(executable=(path,)), sections.Quarto(), memory=None)
    assert (catalog.rows, catalog.offer.r) == ((), ())
    assert not (path.parents[1] / "asked").exists()


def test_rs_are_found_where_they_usually_are(pretending: Callable[..., Path], tmp_path: Path) -> None:
    root, path = tmp_path / "opt", pretending()
    (root / "4.2.2/bin").mkdir(parents=True)
    (root / "4.2.2/bin/R").symlink_to(path)
    other = pretending("4.3.1")
    assert discover_r({"PATH": str(other.parent)}, root) == (root / "4.2.2/bin/R", other)
    assert discover_r({"PATH": str(path.parent)}, root) == (root / "4.2.2/bin/R",)


@pytest.mark.r
@pytest.mark.skipif(R is None, reason="no R on this machine")
async def test_a_real_r_describes_itself(tmp_path: Path) -> None:
    assert R is not None
    (found,) = await probe_r([Path(R)], timeout=SOON, memory=tmp_path / "r.json")
    assert found.problem == ""
    assert {"base", "stats"} <= found.installation().packages.keys()
    (again,) = await probe_r([Path(R)], timeout=SOON, memory=tmp_path / "r.json")
    assert again.remembered
