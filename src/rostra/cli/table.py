"""Rows on a terminal: a table where it fits, a list by item where its columns would be too narrow to read.

Only `show` and `width` look at the terminal; the rest is pure. What is not a terminal gets the table at its full
width, one line a row, for `grep` and `less -S`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

UNBOUNDED = 10_000  # columns of what is no terminal
_GAP = 2
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``least``: it may wrap, down to this width; a column without keeps its cells whole.

    ``head``: in a list it stands, without its name, on the line that begins a row.
    """

    name: str
    least: int = 0
    number: bool = False
    head: bool = False


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print ``rows``, each with a cell for every column."""
    print("\n".join(lines(columns, rows, width())))


def width() -> int | None:
    """Return the columns of the terminal, None when the output goes elsewhere. ``COLUMNS`` outranks both."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], wide: int | None) -> list[str]:
    """Return ``rows`` as lines of at most ``wide`` columns; words longer than that stay whole, to be copied."""
    clean = [tuple(plain(cell) for cell in row) for row in rows]
    widths = _widths(columns, clean, wide)
    return _listed(columns, clean, wide or 0) if widths is None else _tabled(columns, clean, widths)


def plain(text: str) -> str:
    """Return ``text`` without anything that could move a terminal's cursor or break a line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], wide: int | None) -> list[int] | None:
    """Return the width of each column, None when they do not fit."""
    widths = [
        max(cell_len(text) for text in column) for column in zip([each.name for each in columns], *rows, strict=True)
    ]
    if wide is None:
        return widths
    least = [
        max(each.least, cell_len(each.name)) if each.least else now for each, now in zip(columns, widths, strict=True)
    ]
    over = sum(widths) + _GAP * (len(widths) - 1) - wide
    while over > 0:
        widest = max(range(len(widths)), key=lambda each: widths[each] if widths[each] > least[each] else 0)
        if widths[widest] <= least[widest]:
            return None
        widths[widest] -= 1
        over -= 1
    return widths


def _tabled(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    told = []
    for row in ([each.name for each in columns], *rows):
        cells = [_wrapped(text, wide, whole=False) or [""] for text, wide in zip(row, widths, strict=True)]
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            padded = [_padded(*each) for each in zip(columns, parts, widths, strict=True)]
            told.append((" " * _GAP).join(padded).rstrip())
    return told


def _padded(column: Column, text: str, wide: int) -> str:
    space = " " * (wide - cell_len(text))
    return space + text if column.number else text + space


def _listed(columns: Sequence[Column], rows: Sequence[Sequence[str]], wide: int) -> list[str]:
    names = max((cell_len(each.name) for each in columns if not each.head), default=0)
    told = []
    for row in rows:
        told += _wrapped(
            "  ".join(text for each, text in zip(columns, row, strict=True) if each.head and text), wide, whole=True
        )
        for each, text in zip(columns, row, strict=True):
            if text and not each.head:
                before = " " * _INDENT + each.name.ljust(names) + " " * _GAP
                first, *others = wrapped(text, wide - len(before))
                told += [before + first, *(" " * len(before) + other for other in others)]
    return told


def wrapped(text: str, wide: int) -> list[str]:
    """Return ``text`` as lines, broken at spaces only; nothing for an empty one."""
    return _wrapped(text, wide, whole=True)


def _wrapped(text: str, wide: int, *, whole: bool) -> list[str]:
    """Break ``text`` at spaces; a word longer than a line only unless ``whole``. Runs of spaces stay as they are."""
    if cell_len(text) <= wide:
        return [text] if text else []
    return list(_broken(text, max(wide, 1), whole=whole))


def _broken(text: str, wide: int, *, whole: bool) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= wide:
            line = longer
            continue
        if line:
            yield line
        line = word
        if cell_len(word) > wide and not whole:
            *full, line = chop_cells(word, wide)
            yield from full
    yield line
