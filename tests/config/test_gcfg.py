from __future__ import annotations

import io
import shutil
import subprocess

import pytest
from dulwich.config import ConfigFile
from hypothesis import example, given
from hypothesis import strategies as st

from rostra.config import gcfg


def pairs(text: str) -> list[tuple[str, str | None, str, str]]:
    document = gcfg.read(text)
    assert document.faults == ()
    return [(entry.section, entry.label, entry.key, entry.value) for entry in document.entries]


@pytest.mark.parametrize(
    ("line", "value", "why"),
    [
        ("Key = plain", "plain", "the usual"),
        ("Key=tight", "tight", "blanks around = are optional"),
        ("\tKey\t=\tx\t ", "x", "blanks at both ends go"),
        ("Key = a  b", "a  b", "blanks inside stay"),
        ("Key", "true", "a bare key is on"),
        ("Key ; why", "true", "a bare key may have a comment"),
        ("Key =", "", "nothing is an empty text"),
        ("Key = x ; why", "x", "a trailing comment"),
        ("Key = x # why", "x", "the other comment sign"),
        ('Key = "a;b#c" ; d', "a;b#c", "quoted signs are text"),
        ('Key = " x "', " x ", "quoted blanks are text"),
        ('Key = a" b "c', "a b c", "quotes may stand inside"),
        (r'Key = "say \"hi\""', 'say "hi"', "an escaped quote"),
        (r"Key = C:\\dir\ttab", "C:\\dir\ttab", "backslash and tab escapes"),
        (r"Key = two\nlines", "two\nlines", "a newline escape"),
        ("Key = one \\\n two", "one  two", "a continued line keeps its blanks"),
        ('Key = "one \\\ntwo"', "one two", "a quote may be continued"),
        ("Key = one \\\r\ntwo", "one two", "continued with a Windows line end"),
        ("Key = x \\", "x", "a backslash at the end of the file continues nothing"),
        ("Key = x ; a \\\nOther = y", "x", "a comment is not continued"),
        ("Key = a = b", "a = b", "only the first = counts"),
        ("Key = ü", "ü", "any letter"),
    ],
)
def test_values(line: str, value: str, why: str) -> None:
    assert pairs(f"[S]\n{line}")[0] == ("S", None, "Key", value), why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeff[S]\r\nA = 1\r\n", [("S", None, "A", "1")]),
        ("[S] A = 1", [("S", None, "A", "1")]),
        ('[S "La bel"]\nA', [("S", "La bel", "A", "true")]),
        (r'[S "a\"b\\c\d"]' + "\nA", [("S", 'a"b\\cd', "A", "true")]),
        ('[S "x]y"]\nA', [("S", "x]y", "A", "true")]),
        ("[S]\nA=1\n[T]\nB=2\n[S]\nA=3", [("S", None, "A", "1"), ("T", None, "B", "2"), ("S", None, "A", "3")]),
        ("; only\n\n # comments\n", []),
        ("", []),
    ],
)
def test_structure(text: str, expected: list[tuple[str, str | None, str, str]]) -> None:
    assert pairs(text) == expected


def test_lines_are_those_of_the_keys() -> None:
    text = "\n[S]\nA = 1\n; comment\nB = x \\\n  y\nC = 2\n"
    assert [(entry.key, entry.line) for entry in gcfg.read(text).entries] == [("A", 3), ("B", 5), ("C", 7)]


@pytest.mark.parametrize(
    ("text", "lines", "why"),
    [
        ("A = 1", [1], "no section yet"),
        ("[S\nA = 1", [1], "an unreadable section takes what follows with it"),
        ("[S]\n= 3", [2], "no key"),
        ("[S]\nA B", [2], "no ="),
        ('[S]\nA = "x', [2], "an open quote"),
        ("[S]\nA = \\x", [2], "no such escape"),
        ("[S]\nA = x \\\n  \\q\nB = 1", [3], "the line of the escape, not of the key"),
        ("[S]\nA = \0", [2], "no NUL"),
        ("[S]\n1 = 2\nB = 3\n* = 4", [2, 4], "all of them at once"),
        ("[S]\n! = x \\\n y \\\n z\nB = 1\n? = 2", [2, 6], "continued lines of a fault are not faults"),
    ],
)
def test_faults_have_lines(text: str, lines: list[int], why: str) -> None:
    assert [fault.line for fault in gcfg.read(text).faults] == lines, why


def test_what_is_right_is_read_beside_faults() -> None:
    assert [entry.key for entry in gcfg.read("[S]\nA = 1\n* = 2\nB = 3").entries] == ["A", "B"]


@pytest.mark.parametrize(
    "line", ["SecretKey hunter2hunter2", "hunter2/hunter2+==", 'SecretKey = "hunter2hunter2', "Key: hunter2hunter2"]
)
def test_faults_never_repeat_a_secret(line: str) -> None:
    (fault,) = gcfg.read(f"[Bootstrap]\n{line}").faults
    assert "hunter2" not in fault.message


keys = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Zl", "Zp"]), max_size=30)


def quote(value: str) -> str:
    for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(char, escaped)
    return f'"{value}"'


@given(st.lists(st.tuples(keys, texts), max_size=8))
def test_what_is_quoted_comes_back(given_pairs: list[tuple[str, str]]) -> None:
    text = "[Server]\n" + "".join(f"{key} = {quote(value)}\n" for key, value in given_pairs)
    assert [(key, value) for _, _, key, value in pairs(text)] == given_pairs


pieces = st.sampled_from(
    ["a", "b c", '"q ;#"', '" lead"', r"\\", r"\"", r"\n", r"\t", "=", "é", "\\\n", "  ", "; note", "# n"]
)


@given(st.lists(st.tuples(keys, st.lists(pieces, max_size=6)), min_size=1, max_size=5))
@example([("A", ["a", "\\\n", "b c"])])
def test_agrees_with_an_independent_reader(given_pairs: list[tuple[str, list[str]]]) -> None:
    lines = [f"{key} = {''.join(_continued_without_blanks(parts))}\n" for key, parts in given_pairs]
    text = "[Server]\n" + "".join(lines)
    theirs = ConfigFile.from_file(io.BytesIO(text.encode()))
    expected = [(key.decode(), value.decode()) for key, value in theirs.items((b"Server",))]
    assert [(key, value) for _, _, key, value in pairs(text)] == expected


def _continued_without_blanks(parts: list[str]) -> list[str]:
    """Keep to what both readers allow: the other drops blanks after a continuation and lets comments be continued."""
    out: list[str] = []
    for part in parts:
        if part == "\\\n" and (any(each[0] in ";#" for each in out) or (out and out[-1] == "\\\n")):
            continue
        if out and out[-1] == "\\\n":
            part = part.lstrip() or "x"  # noqa: PLW2901
        out.append(part)
    return [*out[:-1], "x"] if out and out[-1] == "\\\n" else out


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "line",
    [
        "K = one \\\n two",
        'K = "a \\\n  b"',
        "K = a ; b \\\nL = c",
        'K = a"b c"d e  ',
        r"K = \"\\\n\t",
        "K =",
        "K",
        'K = "" x',
        "K = x\\\ny\\\nz",
    ],
)
def test_agrees_with_git_itself(line: str) -> None:
    text = f"[s]\n{line}\n"
    asked = subprocess.run(
        ["git", "config", "--file", "-", "--list", "-z"], input=text.encode(), capture_output=True, check=True
    )
    theirs = [part.partition("\n") for part in asked.stdout.decode().split("\0") if part]
    expected = [(name, value if separator else "true") for name, separator, value in theirs]
    assert [(f"s.{key.lower()}", value) for _, _, key, value in pairs(text)] == expected


@given(st.text(max_size=200))
def test_nothing_makes_it_fail(text: str) -> None:
    document = gcfg.read(text)
    assert all(1 <= found.line <= text.count("\n") + 1 for found in (*document.entries, *document.faults))


@given(st.lists(st.sampled_from(["[S]", "\n", "A", " = ", '"', "\\", ";", "x", "\r\n", "[", "]", '"l"']), max_size=30))
def test_nothing_dialect_like_makes_it_fail(parts: list[str]) -> None:
    gcfg.read("".join(parts))
