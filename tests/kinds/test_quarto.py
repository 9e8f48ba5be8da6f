from __future__ import annotations

from pathlib import Path

import pytest

from rostra.kinds import quarto


@pytest.mark.parametrize(
    ("files", "named", "found", "why"),
    [
        ("a.qmd b.qmd", "b.qmd", "b.qmd", "it is named"),
        ("a.qmd _quarto.yml", "", ".", "a project is rendered as a whole"),
        ("report.qmd notes.md", "", "report.qmd", "the only one of the first sort"),
        ("a.qmd index.qmd", "", "index.qmd", "an index comes first"),
        ("script.py", "", "script.py", "a script with a Quarto header is a document"),
        ("a.qmd b.qmd", "", "", "unclear"),
        ("data.csv", "", "", "nothing to render"),
    ],
)
def test_what_is_rendered(tmp_path: Path, files: str, named: str, found: str, why: str) -> None:
    for name in files.split():
        (tmp_path / name).touch()
    assert quarto.primary_document(tmp_path, named) == found, why


def test_quarto_is_told_which_programs_to_use() -> None:
    assert quarto.variables(None, Path("/opt/R/4.2.2/bin/R")) == {"QUARTO_R": "/opt/R/4.2.2/bin"}
