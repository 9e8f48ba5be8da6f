"""Names of items and paths inside a bundle: what is legal. Pure: no disk.

Everything here is given by strangers. Nothing is repaired silently except what every tar writer does (``./``, ``//``).
"""

from __future__ import annotations

import re
import unicodedata

from rostra.ids import new_key

PATH_BYTES = 1024
COMPONENT_BYTES = 255
PATH_DEPTH = 64

_ITEM_NAME = re.compile(r"[A-Za-z0-9._-]{3,80}", re.ASCII)

# Names a module can be imported by (`importlib` takes hyphens and leading digits too) and attributes of it.
_MODULE = r"\w[\w-]*(?:\.\w[\w-]*)*"
_ATTRIBUTE = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_IMPORT = re.compile(rf"{_MODULE}(?::{_ATTRIBUTE})?")
_SCRIPT = re.compile(r"(?:[\w.+-]+/)*(?:[\w+-]+\.)+\w{1,10}")
_DOCUMENT = re.compile(r".*[^/]\.(?:ipynb|html?|qmd|r?md)", re.IGNORECASE | re.DOTALL)
_ENTRYPOINT_LENGTH = 512


def legal_item_name(name: str) -> bool:
    """3 to 80 letters, digits, ``.``, ``-``, ``_``: 64 as documented, and room for the suffix clients append."""
    return _ITEM_NAME.fullmatch(name) is not None


def generated_item_name() -> str:
    return f"content-{new_key(12)}"


def storable(text: str) -> bool:
    """False for text some database or file system cannot keep: NUL, and halves of surrogate pairs."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def path_fault(path: str) -> str | None:
    """Return what is wrong with ``path`` as a place inside a bundle, or None. ``./`` and ``//`` are fine."""
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        return "its name has control characters"
    if path.startswith("/"):
        return "its path is absolute"
    if "\\" in path:
        return "its name has a backslash"
    parts = components(path)
    if ".." in parts:
        return "its path goes up with .."
    return _too_long(path, parts)


def components(path: str) -> tuple[str, ...]:
    """Return the path's parts without ``.`` and empty ones; the bundle's own root is ``()``."""
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _too_long(path: str, parts: tuple[str, ...]) -> str | None:
    try:
        if len(path.encode()) > PATH_BYTES or any(len(part.encode()) > COMPONENT_BYTES for part in parts):
            return f"its path is longer than {PATH_BYTES} bytes, or a part of it than {COMPONENT_BYTES}"
    except UnicodeEncodeError:
        return "its name is not Unicode text"
    if len(parts) > PATH_DEPTH:
        return f"it lies more than {PATH_DEPTH} folders deep"
    return None


def file_inside(path: str) -> bool:
    """True when ``path`` can name a file of the bundle, as the manifest gives it: relative, normal, inside."""
    return bool(path) and path_fault(path) is None and "/".join(components(path)) == path.removeprefix("./")


def legal_entrypoint(text: str) -> bool:
    """True for the forms content is started from; never for an expression.

    ``""`` (the folder), ``module``, ``pkg.module``, ``module:object``, a script (``app.py``, ``src/server.ts``), or a
    document (``My report.ipynb``), which alone may have spaces and punctuation: it is only ever opened as a file.
    """
    if len(text) > _ENTRYPOINT_LENGTH or text.startswith("-") or text != text.strip():
        return False
    if not text or _IMPORT.fullmatch(text):
        return True
    if not file_inside(text):
        return False
    return _SCRIPT.fullmatch(text) is not None or _DOCUMENT.fullmatch(text) is not None
