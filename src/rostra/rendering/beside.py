"""Finds the files that a page refers to and copies them beside it. Never follows a way out of the work folder."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

_REFERENCE = re.compile(r"""<[^<>]{0,4000}?\s(?:src|href|poster|data)\s*=\s*(?:"([^"]{1,2000})"|'([^']{1,2000})')""")
_MOST_FILES = 1_000
_MOST_BYTES = 500_000_000


def referenced(html: str) -> list[str]:
    """Return the relative paths that tags of the page name, each once, in order, decoded; none leads upwards."""
    found: dict[str, None] = {}
    for match in _REFERENCE.finditer(html):
        path = _relative(unescape(match[1] or match[2]))
        if path:
            found.setdefault(path)
    return list(found)


def copy_referenced(html: str, source: Path, target: Path) -> tuple[str, ...]:
    """Copy the regular files of ``source`` that ``html`` names to the same places in ``target``.

    Returns the copied paths. What does not exist, leaves ``source`` through a link, is already in ``target`` or would
    be too much in total is left out. Nothing may be writing in ``source`` meanwhile.
    """
    copied: list[str] = []
    left = _MOST_BYTES
    root = source.resolve()
    for name in referenced(html)[:_MOST_FILES]:
        file, place = source / name, target / name
        if not _is_inside(file, root) or place.exists() or file.stat().st_size > left:
            continue
        left -= file.stat().st_size
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        copied.append(name)
    return tuple(copied)


def _relative(reference: str) -> str | None:
    try:
        parts = urlsplit(reference.strip())
    except ValueError:
        return None
    path = unquote(parts.path)
    if parts.scheme or parts.netloc or not path or path.startswith("/") or "\0" in path or "\\" in path:
        return None
    clean = PurePosixPath(path)
    if any(part == ".." or part.startswith(".") for part in clean.parts) or not clean.parts:
        return None
    return str(clean)


def _is_inside(file: Path, root: Path) -> bool:
    try:
        real = file.resolve(strict=True)
        return real.is_relative_to(root) and real.is_file()
    except OSError:
        return False
