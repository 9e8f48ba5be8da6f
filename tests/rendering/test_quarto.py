"""The wiring of Quarto, with a small program that stands in for it: no package carries the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rostra.environments.shell import PlainShell
from rostra.rendering import quarto
from rostra.rendering.delivery import facts_of
from rostra.rendering.document import DocumentJob, Folders, render_document
from rostra.rendering.job import RenderFailed

pytestmark = pytest.mark.anyio

STAND_IN = """\
#!/bin/sh
[ "$1" = render ] || exit 9
shift
case "$1" in
  .) mkdir -p _out/img && echo site > _out/index.html && echo x > _out/img/a.png ;;
  broken.qmd) echo "processing file: broken.qmd"; echo "ERROR: NameError: name 'x' is not defined" >&2; exit 1 ;;
  *) echo "$@" > "${1%.*}.html"; mkdir -p "${1%.*}_files"; echo x > "${1%.*}_files/a.css" ;;
esac
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "quarto"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def job(folder: Path, program: Path, document: str, **parameters: object) -> DocumentJob:
    return DocumentJob(
        argv=quarto.command(program, document, parameters),
        code_dir=folder / "code",
        document=document,
        output=folder / "renderings/one",
        failure=quarto.failure,
        finish=quarto.finish(document),
        declared=quarto.declared(document),
    )


async def test_a_document_is_rendered_with_its_files_and_parameters(tmp_path: Path, program: Path) -> None:
    (tmp_path / "code/deep").mkdir(parents=True)
    (tmp_path / "code/deep/report.qmd").touch()
    made = job(tmp_path, program, "deep/report.qmd", year=2026)
    done = await render_document(made, PlainShell(), lambda _: None)
    assert done.primary == "report.html"
    assert (made.output / "report.html").read_text() == "report.qmd -P year:2026\n"
    assert (made.output / "report_files/a.css").exists()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("north", "north"),
        ("north west/2026-03", "north west/2026-03"),
        ("!expr system('id')", "\"!expr system('id')\""),
        ("true", '"true"'),
        ("No", '"No"'),
        ("12", '"12"'),
        ("{a: 1}", '"{a: 1}"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("two\nlines", '"two\\nlines"'),
        ("", '""'),
        (2026, "2026"),
        (0.5, "0.5"),
        (True, "true"),
        (None, "null"),
        (["a", "!expr b"], '["a", "!expr b"]'),
    ],
)
def test_quarto_reads_a_value_as_the_one_that_was_given(value: object, told: str) -> None:
    folders = Folders(work=Path("/w"), out=Path("/o"), told=Path("/t"))
    assert quarto.command(Path("/q"), "a.qmd", {"p": value})(folders)[-2:] == ("-P", f"p:{told}")
    assert yaml.safe_load(told) == value


DECLARES = "title: Figures\nrsc_output_files: [out.csv, ../away.csv]\nrsc_email_subject: Figures\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("figures.qmd", f"---\n{DECLARES}---\n"),
        (
            "figures.py",
            "# %% [markdown]\n# ---\n# " + DECLARES.strip().replace("\n", "\n# ") + "\n# ---\n# %%\nx = 1\n",
        ),
        ("figures.R", "#' ---\n#' " + DECLARES.strip().replace("\n", "\n#' ") + "\n#' ---\nx <- 1\n"),
        ("figures.ipynb", '{"metadata": {"rsc_output_files": ["out.csv"], "rsc_email_subject": "Figures"}}'),
    ],
)
async def test_a_script_or_document_keeps_the_files_its_header_declares(
    tmp_path: Path, program: Path, name: str, text: str
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / name).write_text(text)
    (tmp_path / "code/out.csv").write_text("a\n")
    made = job(tmp_path, program, name)
    done = await render_document(made, PlainShell(), lambda _: None)
    assert done.primary == "figures.html"
    assert (made.output / "out.csv").read_text() == "a\n"
    assert not (tmp_path / "renderings/away.csv").exists()
    assert facts_of(made.output).subject == "Figures"


async def test_a_project_is_rendered_as_a_whole(tmp_path: Path, program: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/_quarto.yml").write_text("project:\n  type: website\n  output-dir: _out\n")
    made = job(tmp_path, program, ".")
    done = await render_document(made, PlainShell(), lambda _: None)
    assert done.primary == "index.html"
    assert (made.output / "img/a.png").exists()


async def test_a_failure_says_what_quarto_said(tmp_path: Path, program: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/broken.qmd").touch()
    with pytest.raises(RenderFailed, match="NameError: name 'x' is not defined"):
        await render_document(job(tmp_path, program, "broken.qmd"), PlainShell(), lambda _: None)


async def test_an_output_folder_outside_is_not_looked_at(tmp_path: Path, program: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/index.html").touch()
    (tmp_path / "code/_quarto.yml").write_text("project:\n  output-dir: ../../../../elsewhere\n")
    with pytest.raises(RenderFailed, match="made no page"):
        await render_document(job(tmp_path, program, "."), PlainShell(), lambda _: None)
