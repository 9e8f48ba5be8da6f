import pytest

from rostra.jobs.output import LONGEST_LINE, presentable


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("one", ["one"], "one line"),
        ("one\ntwo", ["one", "two"], "two lines"),
        ("one\r\ntwo", ["one", "two"], "as Windows writes them"),
        (" 10%\r 50%\r100%", ["100%"], "a progress bar is its last state"),
        ("https://me:hush@host/simple", ["https://***@host/simple"], "index passwords"),
        ("git+https://tok3n@host/x", ["git+https://***@host/x"], "tokens without a name"),
        ("mail me@host", ["mail me@host"], "an address is not a password"),
        ("value is s3cret!", ["value is ***!"], "known secrets"),
        ("a\0b", ["a\N{REPLACEMENT CHARACTER}b"], "a byte PostgreSQL refuses"),
        ("a\udc80b", ["a\N{REPLACEMENT CHARACTER}b"], "undecodable output"),
        ("", [""], "an empty line is a line"),
    ],
)
def test_presentable_table(text: str, expected: list[str], why: str) -> None:
    assert presentable(text, ["s3cret", ""]) == expected, why


def test_long_lines_are_cut() -> None:
    (line,) = presentable("x" * 10_000)
    assert len(line) == LONGEST_LINE
    assert line.endswith("…")
