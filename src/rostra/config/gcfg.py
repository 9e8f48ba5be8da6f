"""Read the Git-config dialect: sections, labelled sections, repeated keys, and where each of them stood.

Values stay text; what they mean is decided in `load`. Reading never stops at the first fault: every one is returned.
A fault never repeats the line, which may hold a secret.

Source: https://git-scm.com/docs/git-config#_syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECTION = re.compile(r'\[[ \t]*(?P<name>[A-Za-z0-9][\w.-]*)(?:[ \t]+"(?P<label>(?:[^"\\]|\\.)*)")?[ \t]*\]')
_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]*)[ \t]*")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key = value``, spelled as in the file. ``label`` is the quoted part of ``[section "label"]``."""

    section: str
    label: str | None
    key: str
    value: str
    line: int  # 1-based; of the key, when the value goes on over several lines


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not in the dialect."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds, in file order."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]


class _SyntaxFault(Exception):
    def __init__(self, line: int, message: str) -> None:
        self.fault = Fault(line, message)


def read(text: str) -> Document:
    """Return every setting and every fault of ``text``; a key without ``=`` has the value ``true``."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    entries: list[Entry] = []
    faults: list[Fault] = []
    section: tuple[str, str | None] | None = None
    lost = False  # below a section line that cannot be read: one fault is enough
    number = 0
    while number < len(lines):
        line = lines[number].lstrip(" \t")
        try:
            if line.startswith("["):
                lost = True
                section, line = _header(line, number + 1)
                lost = False
            if not line.strip() or line[0] in ";#":
                number += 1
                continue
            key, value, following = _setting(lines, number, line)
        except _SyntaxFault as caught:
            faults.append(caught.fault)
            number = _end_of_value(lines, number)
            continue
        if section is None and not lost:
            faults.append(Fault(number + 1, f"{key} stands before the first [Section]"))
        elif section is not None and not lost:
            entries.append(Entry(*section, key, value, number + 1))
        number = following
    return Document(tuple(entries), tuple(faults))


def _header(line: str, number: int) -> tuple[tuple[str, str | None], str]:
    head = _SECTION.match(line)
    if head is None:
        raise _SyntaxFault(number, f'expected [Section] or [Section "label"], found {line.strip()[:40]!r}')
    label = head["label"]
    if label is not None:
        label = re.sub(r"\\(.)", r"\1", label)
    return (head["name"], label), line[head.end() :].lstrip(" \t")


def _setting(lines: list[str], number: int, line: str) -> tuple[str, str, int]:
    """Return key, value and the index of the line after it; ``line`` is ``lines[number]`` without a section header."""
    pair = _KEY.match(line)
    if pair is None:
        raise _SyntaxFault(number + 1, "expected Name = value")
    rest = line[pair.end() :]
    if not rest.strip() or rest[0] in ";#":
        return pair["key"], "true", number + 1
    if rest[0] != "=":
        named = f"expected '=' after {pair['key']}" if pair[0] != pair["key"] else "expected Name = value"
        raise _SyntaxFault(number + 1, named)
    value, following = _value(rest[1:], lines, number)
    return pair["key"], value, following


def _value(raw: str, lines: list[str], number: int) -> tuple[str, int]:
    out: list[str] = []
    kept = 0  # trailing blanks go, unless they were quoted or escaped
    quoted = False
    first = number
    position = 0
    while position < len(raw):
        char = raw[position]
        position += 1
        if char == "\0":
            raise _SyntaxFault(number + 1, "a NUL character cannot be part of a value")
        if char == "\\" and position == len(raw):
            number += 1  # the value goes on in the next line, blanks and all
            raw, position = (lines[number], 0) if number < len(lines) else ("", 0)
        elif char == "\\":
            out.append(_escape(raw[position], number + 1))
            kept = len(out)
            position += 1
        elif char == '"':
            quoted = not quoted
            kept = len(out)
        elif char in ";#" and not quoted:
            break
        elif quoted or char not in " \t":
            out.append(char)
            kept = len(out)
        elif out:
            out.append(char)
    if quoted:
        raise _SyntaxFault(first + 1, "a quote is opened and not closed on the same line")
    return "".join(out[:kept]), number + 1


def _end_of_value(lines: list[str], number: int) -> int:
    """Return the index after a faulty setting, so that its continued lines are not read as settings of their own."""
    while number < len(lines) and re.search(r"(?<!\\)(?:\\\\)*\\$", lines[number]):
        number += 1
    return number + 1


def _escape(char: str, number: int) -> str:
    if char not in _ESCAPES:
        raise _SyntaxFault(number, rf"\{char} is not an escape; write \\ for a backslash")
    return _ESCAPES[char]
