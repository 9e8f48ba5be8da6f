from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rostra.environments.shell import PlainShell
from rostra.rendering import rmarkdown
from rostra.rendering.document import DocumentJob, render_document
from rostra.rendering.job import MAIL_FACTS

pytestmark = pytest.mark.anyio

PYTHON_FAILS = """\
processing file: report.Rmd
Quitting from lines 27-29 (report.Rmd)
Error in py_run_string_impl(code, local, convert) :
  ZeroDivisionError: division by zero
Calls: local ... eval_with_user_handlers -> eval -> py_eval -> py_run
Execution halted
""".splitlines()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (PYTHON_FAILS, "report.Rmd, lines 27-29: ZeroDivisionError: division by zero"),
        (
            ["Quitting from lines 7-9 [plot] (a b.Rmd)", "Error in f(x) : object 'y' not found", "Calls: a -> b"],
            "a b.Rmd, lines 7-9: object 'y' not found",
        ),
        (["Quitting from line 3 (a.Rmd)", "Error: bad", "Execution halted"], "a.Rmd, line 3: bad"),
        (["Error: pandoc document conversion failed with error 99"], "pandoc document conversion failed with error 99"),
        (["Error in library(zoo) : there is no package called ‘zoo’"], "there is no package called ‘zoo’"),
        (["Killed"], "R ended with an error"),
        ([], "R ended with an error"),
    ],
)
def test_a_failure_names_the_lines_of_the_chunk(lines: list[str], message: str) -> None:
    assert rmarkdown.failure(lines).message == message


def test_the_lines_that_matter_are_kept() -> None:
    assert rmarkdown.failure(PYTHON_FAILS).lines == (
        "Quitting from lines 27-29 (report.Rmd)",
        "Error in py_run_string_impl(code, local, convert) :",
        "  ZeroDivisionError: division by zero",
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  |                  |   0%", []),
        ("  |.....             |  10%                  ", []),
        ("  |..........        |  20% (setup)", ["20% (setup)"]),
        ("  |..........        |  20% [plot]", ["20% [plot]"]),
        ("  |", []),
        ("", []),
        ("  |...|  90% (a)Quitting from lines 8-10 (r.Rmd)", ["90% (a)", "Quitting from lines 8-10 (r.Rmd)"]),
        ("output file: report.knit.md", ["output file: report.knit.md"]),
    ],
)
def test_of_a_progress_bar_the_chunk_is_shown(line: str, shown: list[str]) -> None:
    assert list(rmarkdown.tidy(line)) == shown


R = shutil.which("R")
DECLARING = """\
---
title: Declares
params:
  year: 1
output:
  html_document: {theme: null, mathjax: null}
---

Year `r params$year`.

```{r}
write.csv(data.frame(a = 1), "out.csv")
rmarkdown::output_metadata$set(rsc_output_files = list("out.csv"), rsc_email_subject = "Harvest")
```
"""


def rendering(folder: Path, document: str, **parameters: object) -> DocumentJob:
    return DocumentJob(
        argv=rmarkdown.command(Path(R or "")),
        code_dir=folder / "code",
        document=document,
        output=folder / "renderings/one",
        failure=rmarkdown.failure,
        tidy=rmarkdown.tidy,
        parameters=parameters,
        env={"HOME": str(folder)},
    )


@pytest.mark.r
@pytest.mark.skipif(not (R and shutil.which("pandoc")), reason="no R or no pandoc on this machine")
class TestWithRealR:
    async def test_parameters_output_files_and_mail(self, tmp_path: Path) -> None:
        (tmp_path / "code").mkdir()
        (tmp_path / "code/report.Rmd").write_text(DECLARING)
        job = rendering(tmp_path, "report.Rmd", year=2026)
        done = await render_document(job, PlainShell(), lambda _: None)
        assert "Year 2026" in (job.output / done.primary).read_text()
        assert (job.output / "out.csv").exists()
        assert "Harvest" in (job.output / MAIL_FACTS).read_text()

    async def test_a_site_is_rendered_as_a_whole(self, tmp_path: Path) -> None:
        (tmp_path / "code").mkdir()
        (tmp_path / "code/_site.yml").write_text("name: site\noutput_dir: _out\n")
        for name in ("index", "more"):
            (tmp_path / f"code/{name}.Rmd").write_text(f"---\ntitle: {name}\n---\n\nText.\n")
        job = rendering(tmp_path, ".")
        done = await render_document(job, PlainShell(), lambda _: None)
        assert done.primary == "index.html"
        assert (job.output / "more.html").exists()
