"""One requirement in its normal form, and how the ways of writing it are told apart. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from rostra.environments.index import mask
from rostra.environments.requirement_lines import Line

VCS = re.compile(r"^(git|hg|svn|bzr)\+", re.IGNORECASE)
URL = re.compile(r"^[a-z][a-z0-9+.]*://", re.IGNORECASE)
_ARCHIVE = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
WINDOWS = re.compile(r"^[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One requirement. ``text`` is its normal form without hashes; for a part of the bundle it names ``local``.

    ``name`` is normalised, empty when only the installer can tell. ``local`` is the path inside the bundle.
    ``builds`` says why code must run to install it (empty: a wheel will do, or may).
    """

    text: str
    place: str
    name: str = ""
    hashes: tuple[str, ...] = ()
    local: str = ""
    suffix: str = ""  # extras and marker of a local requirement
    builds: str = ""
    applies: bool = True  # its marker is true here
    added: bool = False  # by the server, not by the author

    @property
    def normal(self) -> str:
        return " ".join((self.text, *(f"--hash={h}" for h in sorted(self.hashes))))

    def line(self, parts: Path) -> str:
        """Return the line for the installer, with ``parts`` the folder that holds a copy of the bundle's parts."""
        if not self.local:
            return " ".join((self.text, *(f"--hash={h}" for h in self.hashes)))
        path = (parts / self.local).resolve()
        extras, _, marker = self.suffix.partition(";")
        target = f"{self.name}{extras} @ {path.as_uri()}" if self.name else f"{path}{extras}"
        return f"{target} ; {marker}" if marker else target


def looks_local(text: str) -> bool:
    bare = text.split(";", maxsplit=1)[0].strip()
    path = re.sub(r"\[[^\]]*\]$", "", bare)
    if " @ " in bare or re.match(r"^[A-Za-z0-9._-]+(\[[^\]]*\])?\s*@", bare):
        return False
    marked = path.startswith((".", "/", "~", "file:", "\\")) or bool(WINDOWS.match(path))
    return marked or path.lower().endswith(_ARCHIVE) or ("/" in path and not re.search(r"[<>=!]", path))


def named(line: Line, wanted: Requirement, hashes: tuple[str, ...], markers: Mapping[str, str]) -> Entry:
    name = canonicalize_name(wanted.name)
    wanted.name = name
    return Entry(text=str(wanted), place=line.place, name=name, hashes=hashes, applies=applies(wanted, markers))


def at_url(line: Line, wanted: Requirement, url: str, hashes: tuple[str, ...], markers: Mapping[str, str]) -> Entry:
    return replace(named(line, wanted, hashes, markers), builds=why_built(url))


def why_built(url: str) -> str:
    path = urlsplit(url).path
    shown = mask(url)
    if VCS.match(url):
        return f"{shown} is a repository"
    return "" if path.endswith(".whl") else f"{shown} is not a wheel"


def wheel_name(path: str) -> str:
    try:
        return parse_wheel_filename(posixpath.basename(unquote(urlsplit(path).path)))[0]
    except InvalidWheelFilename:
        return ""


def extras_of(wanted: Requirement) -> str:
    return f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""


def applies(wanted: Requirement, markers: Mapping[str, str]) -> bool:
    return wanted.marker is None or wanted.marker.evaluate(dict(markers))
