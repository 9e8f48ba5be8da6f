"""Bytes of a requirements file into logical lines with their numbers. Pure.

Follows the installer's own reading: continued lines are joined, comments dropped, options start at the first word
that begins with a hyphen.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_COMMENT = re.compile(r"(^|\s+)#.*$")


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line. ``file`` is the path inside the bundle, ``number`` counts from 1."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file} line {self.number}"


def decode(data: bytes) -> str:
    """Return the text of a requirements file: byte order mark, UTF-8, else latin-1, which never fails.

    Files written by a Windows shell's redirection are UTF-16, with or without the mark.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data[:200]:
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def logical_lines(text: str, file: str) -> Iterator[Line]:
    """Yield the lines that say something, joined over trailing backslashes, without comments."""
    held, start = "", 0
    for number, raw in enumerate(text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        start = start or number
        comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not comment:
            held += raw[:-1]
            continue
        line = _COMMENT.sub("", held + (" " if held and comment else "") + raw).strip()
        if line:
            yield Line(file, start, line)
        held, start = "", 0
    if rest := _COMMENT.sub("", held).strip():
        yield Line(file, start, rest)


def split_options(text: str) -> tuple[str, str]:
    """Return (requirement, options of that requirement)."""
    words = text.split(" ")
    at = next((n for n, word in enumerate(words) if n and word.startswith("-")), len(words))
    return " ".join(words[:at]).strip(), " ".join(words[at:]).strip()
