"""R Markdown: the command that renders a document or site, and what its failures mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rostra.kinds.r import FLAGS, R_DIR
from rostra.rendering.document import Folders
from rostra.rendering.job import RenderFailed

_QUIT = re.compile(r"^Quitting from lines? (\d+)(?:-(\d+))? (?:\[([^\]]*)\] )?\((.+?)\)")
_BAR = re.compile(r"^\s*\|[\s.|=]*(?:\|\s+(\d+)%\s*(.*))?$")
_LONGEST_TRACEBACK = 60
_NOISE = re.compile(r"^(Calls:|Execution halted|Backtrace:|In addition:|Warning messages?:)")


def command(r: Path) -> Callable[[Folders], Sequence[str]]:
    """Return what makes the command that renders with the R program ``r``."""

    def argv(folders: Folders) -> Sequence[str]:
        return (str(r), *FLAGS, f"--file={R_DIR / 'render.R'}", "--args", str(folders.told / "job.json"))

    return argv


def tidy(line: str) -> Sequence[str]:
    """Return what is shown of a line: of a progress bar the named chunk, and what is written right behind the bar."""
    bar = _BAR.match(line)
    if bar is None:
        return (line,) if line else ()
    chunk, mark, error = (bar[2] or "").partition("Quitting from")
    return [*([f"{bar[1]}% {chunk.strip()}"] if chunk.strip() else []), *([mark + error] if mark else [])]


def failure(lines: Sequence[str]) -> RenderFailed:
    """Return the error that ``lines``, the end of what R wrote, tell of, with the lines of the failing chunk."""
    quits = [(number, match) for number, line in enumerate(lines) if (match := _QUIT.match(line))]
    first = next((n for n, line in enumerate(lines) if line.startswith("Error")), None)
    begin = quits[-1][0] if quits else first
    begin = _with_traceback(lines, begin) if begin is not None else None
    tail = [line for line in lines[begin if begin is not None else -15 :] if line.strip() and not _NOISE.match(line)]
    said = _said(tail)
    if not quits:
        return RenderFailed(said or "R ended with an error", lines=tail[:30], hint=_HINT)
    found = quits[-1][1]
    where = f"lines {found[1]}-{found[2]}" if found[2] not in (None, found[1]) else f"line {found[1]}"
    return RenderFailed(f"{found[4]}, {where}: {said or 'the chunk failed'}", lines=tail[:30], hint=_HINT)


def _with_traceback(lines: Sequence[str], begin: int) -> int:
    """Return where what `where.R` adds begins: Python's traceback right before the error that R tells."""
    for number in range(begin - 1, max(begin - _LONGEST_TRACEBACK, -1), -1):
        if lines[number].startswith("Traceback (most recent call last)"):
            return number
    return begin


_HINT = "Knit the document from the beginning where it was written, correct it, and publish it again."


def _said(tail: Sequence[str]) -> str:
    """Return the error as one sentence: what follows ``Error in …:``, which may stand on the next line."""
    for number, line in enumerate(tail):
        if not line.startswith("Error"):
            continue
        text = line.partition(": ")[2].strip() if ": " in line else ""
        following = tail[number + 1].strip(" !•") if len(tail) > number + 1 else ""
        return (text or following).strip()[:300]
    return ""
