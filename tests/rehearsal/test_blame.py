"""What is read out of the last words of content that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rostra.rehearsal.blame import blame


@pytest.mark.parametrize(
    ("lines", "expected", "why"),
    [
        (["Traceback", '  File "/d/apps/g/1/app.py", line 3, in f', "KeyError: 'x'"], ("KeyError: 'x'", "app.py:3"),
         "own code"),
        (['File "/d/apps/g/1/app.py", line 2', 'File "/e/lib/python3.13/site-packages/six/x.py", line 9',
          "ModuleNotFoundError: No module named 'imp'"],
         ("ModuleNotFoundError: No module named 'imp' (in six)", "app.py:2"), "in a package, by way of own code"),
        (['  File "app.py", line 1, in <module>', "    import requests", "ModuleNotFoundError: No module named 'six'"],
         ("ModuleNotFoundError: No module named 'six' (in requests)", "app.py:1"), "as the runner shows it"),
        (['  File "app.py", line 1, in <module>', "    import imp", "ModuleNotFoundError: No module named 'imp'"],
         ("ModuleNotFoundError: No module named 'imp'", "app.py:1"), "what is imported is itself not there"),
        (["just words"], ("", ""), "nothing to read"),
        (["Error in eval(expr, p) : it failed"], ("it failed", ""), "R, in a call"),
        (["Error in eval(expr, p) :", "  KeyError: 'x'", ""], ("KeyError: 'x'", ""), "R, on the next line"),
        (["Error in f(if (a) b else c) :", "  too long for the line"], ("too long for the line", ""), "R, a long one"),
        (["Error: no such data"], ("no such data", ""), "R, at the top level"),
        (["Error:", "! no such data"], ("no such data", ""), "R, as rlang tells it"),
        (["Quitting from lines 13-16 (report.Rmd)", "Error in eval(expr, p) : KeyError: 'a'"],
         ("KeyError: 'a'", "report.Rmd:13"), "a chunk"),
        (["Quitting from lines 3-4 [setup] (r.Rmd)", "Error: x"], ("x", "r.Rmd:3"), "a chunk with a name"),
        (['  File "report.Rmd", line 14, in <module>', "    import a", "ModuleNotFoundError: No module named 'a'",
          "Quitting from lines 13-16 (report.Rmd)", "Error in f(p) : ModuleNotFoundError: No module named 'a'"],
         ("ModuleNotFoundError: No module named 'a'", "report.Rmd:14"), "the line in it, where that is known"),
        (["Traceback (most recent call last):", '  File "helper.py", line 5, in answer', "    return sample(a, 1)",
          '  File "/p/lib/python3.11/random.py", line 439, in sample', "TypeError: no sequence",
          "Warning: Error in py_call_impl: TypeError: no sequence", "  72: renderText [app.R#9]"],
         ("TypeError: no sequence", "helper.py:5"), "Shiny, down to the author's Python"),
        (["Warning: Error in run_now: it failed", "  49: stop", "  46: server [/d/apps/g/1/app.R#8]",
          "   9: f [/d/apps/g/1/app.R#2]", "Error in run_now(a, all = FALSE) : ", "  it failed"],
         ("it failed", "app.R:8"), "Shiny's own trace: the innermost comes first"),
        (["<Rcpp::exception in run_now(timeoutMs/1000, all = FALSE): TypeError: no sequence", ">"],
         ("TypeError: no sequence", ""), "Plumber, of a request"),
        (["<simpleError in f(): it failed>"], ("it failed", ""), "Plumber, of R"),
        (['  File "plumber.R", line 3', "Error in stopOnLine(lineNum, file[lineNum], e) : ",
          "  Error on line #2: '' - Error in eval(expr, p): ModuleNotFoundError: No module named 'a'"],
         ("ModuleNotFoundError: No module named 'a'", "plumber.R:3"), "Plumber, at load"),
        (["Error in parse(file) : ", "  /d/apps/g/1/app.R:8:3: unexpected input", "7: f <- function() {",
          "Error in sourceUTF8(fullpath) : ", "  Error sourcing app.R"], ("Error sourcing app.R", "app.R:8"), "no R"),
        (["Error on line #2 of your plan", "<div>error</div>", "Errors: 3"], ("", ""), "words that are no error of R"),
        (["aError: first", "b.CError: last"], ("b.CError: last", ""), "the last error counts"),
    ],
)  # fmt: skip
def test_blame(lines: list[str], expected: tuple[str, str], why: str) -> None:
    assert blame(lines, Path("/d/apps/g/1")) == expected, why
