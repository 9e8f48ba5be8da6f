"""What a bundle's own files say of R packages: where each is used, and what an `renv.lock` wants. Runs nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCRIPTS, _DOCUMENTS = (".r",), (".rmd", ".qmd")
_LARGEST = 2_000_000  # bytes of a file that is read
_MOST_FILES = 500
_LOCK = "renv.lock"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_ATTACHED = re.compile(r"(?<![A-Za-z0-9._])(?:library|require)\s*\(\s*([\"']?)([A-Za-z][A-Za-z0-9.]*)\1\s*[,)]")
_NAMED = re.compile(r"(?<![A-Za-z0-9._])([A-Za-z][A-Za-z0-9.]*):::?[A-Za-z.]")
_CHUNK = re.compile(r"\s*```\s*\{\s*r\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


@dataclass(frozen=True, slots=True)
class Use:
    """``file`` is the path inside the bundle, ``line`` counts from 1."""

    package: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``uses`` has each package once, where it is used first. ``locked`` maps what renv.lock wants to versions."""

    uses: Mapping[str, Use] = field(default_factory=dict)
    locked: Mapping[str, str] = field(default_factory=dict)
    locked_r: str = ""


NOTHING = Sources()


def read(folder: Path) -> Sources:
    """Look through the bundle's R files. What is too large or no text is left out."""
    found: dict[str, Use] = {}
    for path in _files(folder):
        for use in uses(_text(path), path.relative_to(folder).as_posix()):
            found.setdefault(use.package, use)
    locked, r = lock(_text(folder / _LOCK)) if (folder / _LOCK).is_file() else ({}, "")
    return Sources(uses=found, locked=locked, locked_r=r)


def uses(text: str, file: str) -> list[Use]:
    """Return the packages that the R code of a script or document attaches or names, in order. Pure."""
    return [
        Use(package, file, number)
        for number, line in _code(text, document=file.lower().endswith(_DOCUMENTS))
        for package in _of_line(line)
    ]


def lock(text: str) -> tuple[dict[str, str], str]:
    """Return the packages of an renv.lock with their versions, and its R version; empty when it cannot be read."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}, ""
    if not isinstance(told, dict):
        return {}, ""
    listed = told.get("Packages")
    rows = listed.items() if isinstance(listed, dict) else ()
    packages = {str(name)[:200]: _word(row, "Version") for name, row in rows if isinstance(row, dict)}
    return packages, _word(told.get("R"), "Version")


def _word(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, dict) else None
    return value[:64] if isinstance(value, str) else ""


def _of_line(line: str) -> Iterator[str]:
    code = _QUOTED.sub(lambda quoted: quoted[0] if _NAME.fullmatch(quoted[0][1:-1]) else "''", line)
    if "character.only" not in code:  # then the name is in a variable
        yield from (match[2] for match in _ATTACHED.finditer(code))
    yield from (match[1] for match in _NAMED.finditer(code))


def _code(text: str, *, document: bool) -> Iterator[tuple[int, str]]:
    inside = not document
    for number, line in enumerate(text.splitlines(), 1):
        if document and line.lstrip().startswith("```"):
            inside = not inside and bool(_CHUNK.match(line))
        elif inside:
            yield number, _without_comment(line)


def _without_comment(line: str) -> str:
    masked = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), line)
    at = masked.find("#")
    return line if at < 0 else line[:at]


def _files(folder: Path) -> Iterator[Path]:
    found = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in {"renv", "packrat"} and not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix.lower() in (*_SCRIPTS, *_DOCUMENTS) and path.is_file() and not path.is_symlink():
                found += 1
                if found > _MOST_FILES:
                    return
                yield path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace") if path.stat().st_size <= _LARGEST else ""
    except OSError:
        return ""


def where(names: Sequence[str], sources: Sources) -> str:
    """Return the packages as a sentence has them, each with its first use where there is one."""
    return ", ".join(f"{name} ({sources.uses[name]})" if name in sources.uses else name for name in names)
