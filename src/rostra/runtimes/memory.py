"""Remember what interpreters said, so that a start need not ask them again while their files are the same.

Only answers of usable interpreters are kept: what was wrong may have been put right. A damaged or foreign memory file
is ignored and replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostra.runtimes.interview import QUESTION_ID, Answer, NotAnAnswer, from_json, to_json

_LARGEST_FILE = 5_000_000
Marks = dict[str, list[int]]  # path: [mtime in ns, size, inode]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an interpreter said and what was found out about its files, with what both depend on."""

    answer: Answer
    links: tuple[Path, ...]
    prefixes: tuple[Path, ...]
    marks: Marks

    def still_true(self, links: tuple[Path, ...], target: Path) -> bool:
        """Whether the path leads where it led and every file and folder is as it was."""
        if links != self.links or str(target) not in self.marks:
            return False
        return all(mark_of(path) == mark for path, mark in self.marks.items())


def mark_of(path: str) -> list[int] | None:
    """Return what tells one state of a file or folder from another, or None when there is nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - called for every file at every start
    except (OSError, ValueError):
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def marks_for(target: Path, answer: Answer) -> Marks:
    """Return the marks of the program, its library and the folders where packages come and go."""
    library = str(Path(answer.libdir) / answer.library) if answer.libdir else ""
    places = (str(target), answer.stdlib, answer.purelib, library)
    return {place: mark for place in places if place and (mark := mark_of(place)) is not None}


def recall(memory: Path | None) -> dict[str, Remembered]:
    """Return what is remembered by configured path; nothing when there is no memory or it cannot be read."""
    if memory is None:
        return {}
    try:
        if memory.stat().st_size > _LARGEST_FILE:
            return {}
        raw = json.loads(memory.read_bytes())
        if raw["question"] != _question():
            return {}
        entries: Mapping[str, Any] = raw["interpreters"]
        return {path: _entry(entry) for path, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def remember(memory: Path, known: Mapping[str, Remembered]) -> None:
    """Replace the memory file in one step. Failing to is no error: the next start asks again."""
    interpreters = {
        path: {
            "answer": to_json(each.answer),
            "links": list(map(str, each.links)),
            "prefixes": list(map(str, each.prefixes)),
            "marks": each.marks,
        }
        for path, each in known.items()
    }
    text = json.dumps({"question": _question(), "interpreters": interpreters})
    scratch = memory.with_name(f".scratch-{memory.name}-{secrets.token_hex(4)}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, "utf-8")
        scratch.replace(memory)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink()


def _entry(raw: Mapping[str, Any]) -> Remembered:
    marks = {str(path): _mark(mark) for path, mark in raw["marks"].items()}
    if not marks:
        raise NotAnAnswer("no marks")
    return Remembered(from_json(raw["answer"]), _paths(raw["links"]), _paths(raw["prefixes"]), marks)


def _paths(raw: Iterable[Any]) -> tuple[Path, ...]:
    paths = tuple(map(Path, raw))
    if not all(path.is_absolute() for path in paths):
        raise NotAnAnswer("a path is not absolute")
    return paths


def _question() -> str:
    """Name what was asked, and by whose home: a home is never among the prefixes."""
    return f"{QUESTION_ID} {Path.home()}"


def _mark(raw: Iterable[Any]) -> list[int]:
    mark = list(raw)
    if len(mark) != 3 or any(type(part) is not int for part in mark):
        raise NotAnAnswer("a mark has three numbers")
    return mark
