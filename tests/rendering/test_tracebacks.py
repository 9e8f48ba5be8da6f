import pytest

from rostra.rendering.tracebacks import decisive, line_in_cell, plain, summary

NEW = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mZeroDivisionError\x1b[39m                         Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[3]\x1b[39m\x1b[32m, line 4\x1b[39m\n"
    "\x1b[32m      2\x1b[39m def f():\n\x1b[32m      3\x1b[39m     return 1 / 0\n\x1b[32m----> 4\x1b[39m f()",
    "\x1b[36mCell\x1b[39m \x1b[32mIn[3]\x1b[39m, line 3, in f()\n      2 def f():\n----> 3     return 1 / 0",
    "\x1b[31mZeroDivisionError\x1b[39m: division by zero",
]
OLD = [
    "---------------------------------------------------------------------------",
    "ValueError                                Traceback (most recent call last)",
    "<ipython-input-2-0a1b2c3d4e5f> in <module>\n      1 import json\n----> 2 json.loads('x')",
    "/usr/lib/python3.8/json/__init__.py in loads(s)\n    356     if x:\n--> 357         return y",
    "ValueError: Expecting value",
]
MIDDLE = [
    "KeyError                                  Traceback (most recent call last)",
    "Input In [5], in <cell line: 1>()\n      1 for n in (1, 2):\n----> 2     d[n]",
    "KeyError: 1",
]
SYNTAX = [
    "\x1b[36m  Cell\x1b[39m \x1b[32mIn[1]\x1b[39m\x1b[32m, line 7\x1b[39m\n"
    "    def f(:\n          ^\nSyntaxError: invalid syntax\n"
]


@pytest.mark.parametrize(
    ("traceback", "line", "why"),
    [
        (NEW, 4, "the first frame is the cell's"),
        (OLD, 2, "an old kernel says it with an arrow only"),
        (MIDDLE, 2, "the arrow is right where the heading names the statement's first line"),
        (SYNTAX, 7, "a syntax error has no arrow"),
        (["SystemExit: 3"], None, "nothing says it"),
        ([], None, "nothing at all"),
    ],
)
def test_the_line_in_the_cell(traceback: list[str], line: int | None, why: str) -> None:
    assert line_in_cell(traceback) == line, why


def test_the_cell_and_the_error_are_what_is_worth_reading() -> None:
    assert decisive(OLD) == (
        "<ipython-input-2-0a1b2c3d4e5f> in <module>",
        "      1 import json",
        "----> 2 json.loads('x')",
        "… and 1 further frame",
        "ValueError: Expecting value",
    )


def test_a_function_of_the_notebook_is_its_own_code() -> None:
    lines = decisive(NEW)
    assert "----> 3     return 1 / 0" in lines
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_syntax_error_keeps_its_caret() -> None:
    assert decisive(SYNTAX) == ("Cell In[1], line 7", "    def f(:", "          ^", "SyntaxError: invalid syntax")


def test_a_flood_is_cut() -> None:
    lines = decisive([f"line {n} {'x' * 10_000}" for n in range(1000)])
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 500


def test_colours_and_bells_are_gone() -> None:
    assert plain("\x1b[1;31mred\x1b[0m\x07 \x1b]0;title\x07ok\ttab\n") == "red ok\ttab\n"


def test_a_summary_is_one_line() -> None:
    assert summary("ValueError", "first\nsecond") == "ValueError: first"
    assert summary("KeyboardInterrupt", "") == "KeyboardInterrupt"
