"""Finds the line of the failing cell, and the lines worth reading, in what a kernel sends. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_CELL_FRAME = re.compile(
    r"^(?:Cell |Input )In ?\[\d+\]"  # IPython 8 and later
    r"|^<ipython-input-\d+-[0-9a-f]+>"  # IPython 7
    r"|^(?:File )?.*[/\\]ipykernel_\d+[/\\]\d+\.py"  # the file name a kernel gives a cell
)
_FRAME = re.compile(r"^(?:Cell |Input )?In ?\[\d+\]|^File |^<ipython-input-|^[~/].* in ")
_SAID_LINE = re.compile(r"\bline:? (\d+)")
_ARROW = re.compile(r"^-+> *(\d+)\b")


def plain(text: str) -> str:
    """Return ``text`` without terminal colours and control characters (line ends and tabs stay)."""
    return _UNPRINTABLE.sub("", _ANSI.sub("", text))


def line_in_cell(traceback: Sequence[str]) -> int | None:
    """Return the line, counted from 1, at which the cell's own code stopped, or None when it is not said.

    An arrow in the cell's frame is believed before the frame's heading: old kernels name the first line there.
    """
    frame = _cell_frame(_lines(traceback))
    arrows = (_ARROW.match(line) for line in frame)
    said = (_SAID_LINE.search(line) for line in frame[:2])
    found = next((match for match in (*arrows, *said) if match), None)
    return int(found[1]) if found else None


def decisive(traceback: Sequence[str], *, most: int = 30) -> tuple[str, ...]:
    """Return at most ``most`` lines: where the notebook's own code stopped, then what the error says.

    Other frames are left out and counted: they are somebody else's code.
    """
    lines = _lines(traceback)
    frames = _split(lines)
    own = [frame for frame in frames if _CELL_FRAME.match(frame[0])]
    shown = own if len(own) < 3 else [own[0], own[-1]]
    others = len(frames) - len(shown)
    note = [f"… and {others} further frame{'s' * (others > 1)}"] if shown and others else []
    picked = [line for frame in shown for line in frame[:10]]
    return tuple(line[:500] for line in (*picked, *note, *_tail(lines, frames)))[-most:]


def summary(name: str, value: str) -> str:
    """Return ``ZeroDivisionError: division by zero``, one line of at most 300 characters."""
    first = plain(value).strip().split("\n", 1)[0]
    return (f"{plain(name)}: {first}" if first else plain(name))[:300]


def _lines(traceback: Sequence[str]) -> list[str]:
    return [line.rstrip() for entry in traceback for line in (*plain(entry).split("\n"), "")]


def _cell_frame(lines: list[str]) -> list[str]:
    return next((frame for frame in _split(lines) if _CELL_FRAME.match(frame[0])), [])


def _split(lines: list[str]) -> list[list[str]]:
    """Cut into frames: each begins at its heading and ends at the next heading or an empty line."""
    frames: list[list[str]] = []
    inside = False
    for line in lines:
        if _FRAME.match(line.strip()) and not _ARROW.match(line):
            frames.append([line.strip()])
            inside = True
        elif not line:
            inside = False
        elif inside:
            frames[-1].append(line)
    return frames


def _tail(lines: list[str], frames: list[list[str]]) -> list[str]:
    """What follows the last frame: the error's own words (a syntax error's are inside its only frame)."""
    text = [line for line in lines if line]
    if not frames:
        return text[-10:]
    last = max(index for index, line in enumerate(text) if line.strip() == frames[-1][0])
    rest = text[last + len(frames[-1]) :]
    return rest[-10:]
