"""Bytes into logical lines."""

# ruff: noqa: E501  # a row is a line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.environments.requirement_lines import decode, logical_lines, split_options


@pytest.mark.parametrize(
    ("data", "expected", "why"),
    [
        (b"flask\n", "flask\n", "plain"),
        (b"\xef\xbb\xbfflask\n", "flask\n", "an editor's byte order mark"),
        ("flask\r\n".encode("utf-16"), "flask\r\n", "a Windows shell's redirection"),
        ("flask\n".encode("utf-16-le"), "flask\n", "the same without the mark"),
        ("flask\n".encode("utf-16-be"), "flask\n", "the other way round"),
        ("flask # café\n".encode("latin-1"), "flask # café\n", "an old editor"),
        ("flask # café\n".encode(), "flask # café\n", "UTF-8 comes before latin-1"),
        (b"", "", "nothing"),
    ],
)
def test_decoding(data: bytes, expected: str, why: str) -> None:
    assert decode(data) == expected, why


@given(st.binary(max_size=200))
def test_decoding_never_fails(data: bytes) -> None:
    assert isinstance(decode(data), str)


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("a\nb\n", [(1, "a"), (2, "b")], "two lines"),
        ("a\r\n\r\nb", [(1, "a"), (3, "b")], "Windows line ends"),
        ("# said\na # why\n", [(2, "a")], "comments"),
        ("a==1 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\nb", [(1, "a==1   --hash=sha256:aa   --hash=sha256:bb"), (4, "b")], "continued"),
        ("a \\", [(1, "a")], "continued into nothing"),
        ("git+https://x/y#egg=z", [(1, "git+https://x/y#egg=z")], "a fragment is no comment"),
        ("\ufeffa", [(1, "a")], "a mark that survived decoding"),
    ],
)  # fmt: skip
def test_logical_lines(text: str, expected: list[tuple[int, str]], why: str) -> None:
    assert [(line.number, line.text) for line in logical_lines(text, "r.txt")] == expected, why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a==1", ("a==1", "")),
        ("a==1 --hash=sha256:aa --hash=sha256:bb", ("a==1", "--hash=sha256:aa --hash=sha256:bb")),
        ('a ; python_version > "3" --hash=md5:aa', ('a ; python_version > "3"', "--hash=md5:aa")),
    ],
)
def test_options_of_a_requirement_are_split_off(text: str, expected: tuple[str, str]) -> None:
    assert split_options(text) == expected
