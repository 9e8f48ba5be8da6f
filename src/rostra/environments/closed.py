"""Whether requirements leave nothing open, so that no installer has to choose anything. Pure.

Nothing is open when every package is pinned and everything the pinned ones need is pinned, too, in a fitting version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rostra.environments.requirements import Requirements

Needs = Mapping[str, tuple[str, ...]]  # requirements without markers, by extra; "" is what is always needed


@dataclass(frozen=True, slots=True)
class Pin:
    """One package that is asked for in exactly one version. ``hashes`` are those the author allows; none: any."""

    version: Version
    extras: frozenset[str]
    hashes: frozenset[str]


def pins(wanted: Requirements) -> dict[str, Pin] | None:
    """Return what is pinned, by normalised name; None when anything else is asked for."""
    if wanted.options.no_binary or wanted.options.folders:
        return None
    found: dict[str, Pin] = {}
    for entry in wanted.entries:
        if not entry.applies:
            continue
        pin = None if entry.local or entry.builds else _pin(entry.text, entry.hashes)
        if pin is None or entry.name in found:
            return None
        found[entry.name] = pin
    hashed = wanted.options.require_hashes or any(pin.hashes for pin in found.values())
    if hashed and not all(pin.hashes for pin in found.values()):
        return None
    return found if all(_fits(entry.text, found) for entry in wanted.constraints) else None


def _pin(text: str, hashes: Iterable[str]) -> Pin | None:
    try:
        asked = Requirement(text)
        [only] = asked.specifier
        if asked.url or only.operator != "==" or only.version.endswith("*"):
            return None
        return Pin(Version(only.version), frozenset(map(canonicalize_name, asked.extras)), frozenset(hashes))
    except (InvalidRequirement, InvalidVersion, ValueError):  # the last: not exactly one
        return None


def _fits(constraint: str, found: Mapping[str, Pin]) -> bool:
    try:
        asked = Requirement(constraint)
    except InvalidRequirement:
        return False
    pin = found.get(canonicalize_name(asked.name))
    return pin is None or (not asked.url and asked.specifier.contains(pin.version, prereleases=True))


def is_closed(found: Mapping[str, Pin], needs_of: Callable[[str], Needs]) -> bool:
    """Return whether every need of what is pinned is met by what is pinned."""
    waiting = [(name, extra) for name, pin in found.items() for extra in ("", *pin.extras)]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        needs = needs_of(name)
        if extra not in needs:
            return False  # an extra the package does not have: the installer has something to say
        for text in needs[extra]:
            asked = Requirement(text)
            needed = canonicalize_name(asked.name)
            pin = found.get(needed)
            if pin is None or asked.url or not asked.specifier.contains(pin.version, prereleases=True):
                return False
            more = {(needed, canonicalize_name(each)) for each in asked.extras} - seen
            seen |= more
            waiting += more
    return True


def needs(requires: Iterable[str], extras: Iterable[str], markers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what a package needs where ``markers`` hold, from the ``Requires-Dist`` and ``Provides-Extra`` it tells.

    Raises:
        InvalidRequirement: it tells something that is no requirement.
    """
    asked = [Requirement(text) for text in requires]
    names = ["", *dict.fromkeys(canonicalize_name(extra) for extra in extras)]
    return {name: tuple(_bare(one) for one in asked if _applies(one, name, markers)) for name in names}


def _applies(asked: Requirement, extra: str, markers: Mapping[str, str]) -> bool:
    return asked.marker is None or asked.marker.evaluate({**markers, "extra": extra})


def _bare(asked: Requirement) -> str:
    bare = Requirement(str(asked))
    bare.marker = None
    return str(bare)
