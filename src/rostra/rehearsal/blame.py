"""Reads what content wrote about its failure, Python's tracebacks and R's errors alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_ERROR = re.compile(r"^(?P<what>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Failed|NotFound)\b.*)$")
_IMPORT = re.compile(r"(?:import|from)\s+(?P<name>\w+)")
_LONGEST = 300

# R: "Error in f(x) : it failed", the message on the next line when it is long, "Error: it failed" at the top level.
_R_ERROR = re.compile(r"^Error(?: in .+?)? ?:(?: (?P<what>.*))?$")
_R_CALL = re.compile(r"^Error in (?P<call>.+?) :(?: (?P<what>.*))?$")
_R_LOGGED = re.compile(r"^Warning: Error in .*?: (?P<what>.+)$")  # Shiny, of an error it caught
_R_PRINTED = re.compile(r"^<[\w.:]*(?:[Ee]rror|[Ee]xception)\b[\w.:]*(?: in .+?)?: (?P<what>.+?)>?$")  # Plumber
_R_WRAPPED = re.compile(r"^Error on line #\d+: '.*?' - (?P<what>.*)$")  # Plumber, around an error at load
_R_CHUNK = re.compile(r"^Quitting from lines? (?P<line>\d+)(?:-\d+)? (?:\[[^\]]*\] )?\((?P<file>[^()]+)\)")
_R_PARSED = re.compile(r"^ *(?:Error[^:]*: )?(?P<file>[^:]+\.[Rr]):(?P<line>\d+):\d+: ")  # where it is no R at all
_R_STACK = re.compile(r"^ *\d+: .*\[(?P<file>[^\[\]#]+)#(?P<line>\d+)\]$")  # of Shiny's stack traces


@dataclass(frozen=True, slots=True)
class _Frame:
    number: int
    file: str
    line: str


def blame(lines: Sequence[str], code: Path) -> tuple[str, str]:
    """Return (what went wrong, where): the last error, and the deepest place in the item's own files.

    The runner shows only those, with relative paths; a failure inside a package is told by the line that imports it.
    R names chunks of documents; what it leaves out is added by ``runner/r/where.R``, in the form of a traceback.
    """
    errors = list(_errors(lines))
    frames = [
        _Frame(number, found["file"], found["line"])
        for number, line in enumerate(lines)
        if (found := _FRAME.search(line))
    ]
    prefix = f"{code}/"
    own = [each for each in frames if each.file.startswith(prefix) or not each.file.startswith(("/", "<"))]
    reason = errors[-1][:_LONGEST] if errors else ""
    package = _package(frames[-1].file) if frames else ""
    if own and not package and own[-1].number + 1 < len(lines):
        package = _imported(lines[own[-1].number + 1], reason)
    if reason and package:
        reason = f"{reason} (in {package})"
    return reason, f"{own[-1].file.removeprefix(prefix)}:{own[-1].line}" if own else _r_place(lines, prefix)


def _errors(lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        found = _ERROR.match(line.strip())
        if found is None:
            following = lines[number + 1].strip(" !•\t") if number + 1 < len(lines) else ""
            what = _r_error(line.strip(), following)
            if what:
                yield what
        else:
            yield found["what"]


def _r_error(line: str, following: str) -> str:
    """Return R's message without the call it came from; empty when ``line`` is no error of R."""
    found = _R_CALL.match(line) or _R_ERROR.match(line) or _R_LOGGED.match(line) or _R_PRINTED.match(line)
    if found is None:
        return ""
    what = (found["what"] or "").strip() or following
    if (wrapped := _R_WRAPPED.match(what)) is not None:
        what = wrapped["what"]
        inner = re.match(r"^Error in .+?: (?P<what>.+)$", what)
        what = inner["what"] if inner else what
    return what


def _r_place(lines: Sequence[str], prefix: str) -> str:
    chunks = [found for line in lines if (found := _R_CHUNK.match(line))]
    parsed = [found for line in lines if (found := _R_PARSED.match(line))]
    stack = [found for line in lines if (found := _R_STACK.match(line))][:1]  # innermost first
    for found in (*chunks[-1:], *parsed[-1:], *stack):
        return f"{found['file'].removeprefix(prefix)}:{found['line']}"
    return ""


def _package(file: str) -> str:
    return file.partition("/site-packages/")[2].partition("/")[0].removesuffix(".py")


def _imported(source: str, reason: str) -> str:
    """Return the package whose import failed inside of it; nothing when it is just not there."""
    found = _IMPORT.match(source.strip())
    missing = found is not None and f"No module named '{found['name']}'" in reason
    return "" if found is None or missing else found["name"]
