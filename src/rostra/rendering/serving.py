"""Which file a visitor's path means, below a rendering or a bundle of static files. Opens nothing, sends nothing."""

from __future__ import annotations

import mimetypes
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from rostra.errors import NotFound

_REVISION = re.compile(r"_rev(?P<id>[0-9]{1,18})(?P<slash>/)?")
_VARIANT = re.compile(r"v(?P<key>[0-9a-z]{8})(?P<slash>/)?")
_TYPES = mimetypes.MimeTypes(filenames=())  # Python's own table: the host's must not change what content is
_TYPES_OF_OUR_OWN = {
    ".gz": "application/gzip",
    ".ipynb": "application/x-ipynb+json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".parquet": "application/vnd.apache.parquet",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".geojson": "application/geo+json",
}
_VISIBLE_DOT = frozenset({".well-known"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A regular file to send. ``etag`` has its quotes. ``path`` may be opened as it is."""

    path: Path
    size: int
    modified: float  # Unix seconds
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class SlashMissing:
    """The path names a folder: send the visitor to the same address with a slash behind it."""


class NoSuchPage(NotFound):
    """The item has no such file, or none that visitors may have; the two are not told apart."""

    code = "no-such-page"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            "this content has no such page", hint="Check the address, or start at the content's first page."
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the part of a path behind the item's base means.

    ``revision`` names one kept rendering, None the live one. ``rest`` is what is wanted of it; ``complete`` is False
    when only the slash behind the revision is missing.
    """

    revision: int | None
    rest: str
    complete: bool = True


def wanted(path: str) -> Wanted:
    """Split ``_rev7/plots/a.png`` into the revision and the rest. ``path`` is decoded, without a leading slash."""
    found = _REVISION.match(path)
    if found is None or not (found["slash"] or found.end() == len(path)):
        return Wanted(None, path)
    return Wanted(int(found["id"]), path[found.end() :], complete=bool(found["slash"]))


def variant_key(path: str) -> str | None:
    """Return the key of the variant that ``path`` may begin with; a file may be called so as well."""
    found = _VARIANT.match(path)
    return found["key"] if found is not None and (found["slash"] or found.end() == len(path)) else None


def locate(
    root: Path, path: str, *, primary: str = "index.html", hidden: frozenset[str] = frozenset()
) -> Found | SlashMissing:
    """Return the file that ``path`` names below ``root``.

    Args:
        path: decoded, without the item's base path and without a leading slash; empty for the first page.
        primary: the file to show for the empty path. Folders below show their ``index.html``.
        hidden: paths that are not given to anybody (a bundle's own manifest).

    Raises:
        NoSuchPage: nothing there, or it begins with a dot, or it leads out of ``root``.
    """
    parts = _parts(path)
    if parts is None or path.rstrip("/") in hidden:
        raise NoSuchPage(path)
    file = root.joinpath(*parts) if parts else root / primary
    mode = _mode(file, path)
    if parts and S_ISDIR(mode):
        if not path.endswith("/"):
            return SlashMissing()
        file, mode = file / "index.html", _mode(file / "index.html", path)
    elif parts and path.endswith("/"):
        raise NoSuchPage(path)
    return _found(root, file, mode, path)


def content_type(name: str) -> str:
    """Return the type to declare for a file name, with its character set where the type has one."""
    suffix = Path(name).suffix.lower()
    guessed, encoding = _TYPES.guess_type(f"file{suffix}", strict=False)
    kind = _TYPES_OF_OUR_OWN.get(suffix) or (guessed if encoding is None else None) or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def matches_etag(if_none_match: str, etag: str) -> bool:
    """Return whether the header names ``etag``, so that 304 is the answer (weak comparison, RFC 9110 13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    offered = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag.removeprefix("W/") in offered


def _parts(path: str) -> list[str] | None:
    """Return the names on the way, or None when one of them may not be followed."""
    inner = path.removesuffix("/")
    if not inner:
        return [] if path in {"", "/"} else None
    parts = inner.split("/")
    return parts if all(_may_follow(part) for part in parts) else None


def _may_follow(part: str) -> bool:
    return bool(part) and "\0" not in part and len(part) < 256 and (not part.startswith(".") or part in _VISIBLE_DOT)


def _mode(file: Path, path: str) -> int:
    try:
        return file.stat().st_mode
    except (OSError, ValueError) as why:
        raise NoSuchPage(path) from why


def _found(root: Path, file: Path, mode: int, path: str) -> Found:
    try:
        real = file.resolve(strict=True)
    except OSError as why:
        raise NoSuchPage(path) from why
    if not S_ISREG(mode) or not real.is_relative_to(root.resolve()):
        raise NoSuchPage(path)
    about = real.stat()
    return Found(
        path=real,
        size=about.st_size,
        modified=about.st_mtime,
        content_type=content_type(file.name),
        etag=_etag(root, about),
    )


def _etag(root: Path, about: os.stat_result) -> str:
    # The folder takes part: files of two bundles often have the same size, and the fixed time that packers write.
    folder = zlib.crc32(os.fsencode(root))
    return f'"{folder:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
