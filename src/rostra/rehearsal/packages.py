"""Comparing what is installed with what would be, and loosening requirements as little as possible. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rostra.environments.entry import Entry
from rostra.rehearsal.model import Moved

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s\\;#]+)")
SEEDS = frozenset(("pip", "wheel"))


def pins_in(lines: Iterable[str]) -> dict[str, str]:
    """Return {name: version} of the lines ``name==version``, also where hashes or comments follow."""
    found = (_PIN.match(line.strip()) for line in lines)
    return {canonicalize_name(each["name"]): each["version"] for each in found if each}


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Moved, ...]:
    """Return what differs, by name."""
    names = sorted(before.keys() | after.keys())
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names if name not in SEEDS)
    return tuple(Moved(name=name, before=b, after=a) for name, b, a in pairs if a != b)


def loosened(entries: Sequence[Entry], present: Mapping[str, str]) -> list[tuple[Entry, str]]:
    """Return each entry with the line to use instead: nothing older than today, and no upper end.

    A line that names no version, a part of the bundle or an address stays as it is.

    >>> loosened([Entry(text="pandas==1.1.5", place="")], {"pandas": "1.1.5"})[0][1]
    'pandas>=1.1.5'
    """
    return [(entry, _loose(entry, present)) for entry in entries]


def _loose(entry: Entry, present: Mapping[str, str]) -> str:
    try:
        wanted = Requirement(entry.text)
    except InvalidRequirement:
        return entry.text
    if wanted.url or not wanted.specifier:
        return entry.text
    least = present.get(canonicalize_name(wanted.name)) or _least(wanted)
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    marker = f" ; {wanted.marker}" if wanted.marker else ""
    return f"{wanted.name}{extras}{f'>={least}' if least else ''}{marker}"


def _least(wanted: Requirement) -> str:
    lower = [each.version for each in wanted.specifier if each.operator in ("==", "===", ">=", "~=")]
    return lower[0].removesuffix(".*") if lower else ""


def edits(entries: Sequence[Entry], after: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return (line, line to write instead) for the entries that do not allow what would be installed."""
    found = []
    for entry in entries:
        try:
            wanted = Requirement(entry.text)
        except InvalidRequirement:
            continue
        version = after.get(canonicalize_name(wanted.name))
        if version and not wanted.url and not wanted.specifier.contains(version, prereleases=True):
            changed = Requirement(entry.text)
            changed.specifier = type(wanted.specifier)(f"=={version}")
            found.append((entry.text, str(changed)))
    return tuple(found)


def without_wheels(pylock: str) -> tuple[str, ...]:
    """Return the names of the packages in a ``pylock.toml`` that have no wheel for its interpreter, sorted."""
    told = tomllib.loads(pylock)
    return tuple(sorted(each["name"] for each in told.get("packages", ()) if not each.get("wheels")))
