from __future__ import annotations

import pytest

from rostra.rendering import rmarkdown

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
