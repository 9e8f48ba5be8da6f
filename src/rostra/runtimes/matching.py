"""Choose the runtime a piece of content gets, and say why. Pure: no disk, no subprocess, no clock.

The rule for people is docs/explanation/matching.md; the choices behind the edge cases are in
docs/decisions/0001-matching-edge-cases.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.model import Match, Policy, Request, Runtime, RuntimeState

_ACTIVE, _DEPRECATED = RuntimeState.active, RuntimeState.deprecated  # looked up once: a decision takes microseconds
_Found = tuple[Version, str] | None  # the chosen version and the reason
_Rule = Callable[[list[Runtime]], _Found]


def choose(request: Request, policy: Policy, runtimes: Sequence[Runtime]) -> Match:
    """Return the runtime for ``request`` and the reason as one sentence.

    The result does not depend on the order of ``runtimes``. Retired runtimes are never chosen, deprecated ones and
    pre-releases only when nothing else fits (pre-releases also when the request names one); that is then a warning.

    Raises:
        NoMatchingPython: nothing fits; it carries what is installed.
    """
    rule = _rule(request, policy)
    for group in _groups(request, runtimes):
        found = rule(group)
        if found is not None:
            version, reason = found
            runtime = min((each for each in group if each.version == version), key=_among_equals)
            return Match(runtime, reason, _warnings(request, runtime))
    raise NoMatchingPython(request, policy, runtimes)


def _groups(request: Request, runtimes: Sequence[Runtime]) -> Iterator[list[Runtime]]:
    """Yield the runtimes that may be chosen, those to prefer first; a later group counts only when none before fits."""
    any_release = _names_prerelease(request)
    for untried in (False, True):
        for state in (_ACTIVE, _DEPRECATED):
            group = [each for each in runtimes if each.state is state and (any_release or each.prerelease is untried)]
            if group:
                yield group


def _names_prerelease(request: Request) -> bool:
    if request.requires:
        return bool(request.requires.prereleases)
    return request.version is not None and request.version.is_prerelease


def _rule(request: Request, policy: Policy) -> _Rule:
    requires = request.requires
    # What follows a "+" is a vendor's own mark and not part of the release.
    wanted = request.version if request.version is None else Version(request.version.public)
    if requires:
        return lambda group: _in_range(requires, wanted, group)
    if wanted is None:
        return lambda group: (_newest(group), "Chose the newest release since no version was asked for")
    choices = {Policy.exact: _exact, Policy.major_minor: _major_minor, Policy.nearest: _nearest}
    return lambda group: choices[policy](wanted, group)


def _newest(group: list[Runtime]) -> Version:
    return max(each.version for each in group)


def _exact(wanted: Version, group: list[Runtime]) -> _Found:
    return (wanted, "Chose exact match") if any(each.version == wanted for each in group) else None


def _major_minor(wanted: Version, group: list[Runtime]) -> _Found:
    """Exact, else the least greater release of the same MAJOR.MINOR, else its latest."""
    preferred = _same_series(wanted, group)
    return (preferred[0], _patch_reason(wanted, preferred[0])) if preferred else None


def _same_series(wanted: Version, group: list[Runtime]) -> list[Version]:
    """Return the versions with the MAJOR.MINOR of ``wanted``, the one the major-minor rule prefers first."""
    if len(wanted.release) < 3:  # "3.9" names no patch release: the latest is meant
        given = wanted.release
        return sorted((each.version for each in group if each.series[: len(given)] == given), reverse=True)
    series = wanted.release[:2]
    same = sorted([each.version for each in group if each.series == series])
    first = bisect_left(same, wanted)
    return same[first:] + same[:first][::-1]


def _patch_reason(wanted: Version, chosen: Version) -> str:
    if len(wanted.release) < 3:
        return f"Chose the latest {wanted}.X release since no patch release was asked for"
    if chosen == wanted:
        return "Chose exact match"
    if chosen > wanted:
        return f"Chose lowest {wanted.major}.{wanted.minor}.X release after {wanted}"
    return f"Chose the latest {wanted.major}.{wanted.minor}.X release since all are before {wanted}"


def _nearest(wanted: Version, group: list[Runtime]) -> _Found:
    """As `_major_minor`, else the release of the same MAJOR whose MINOR is closest, the newer side on a tie."""
    found = _major_minor(wanted, group)
    same = [each.version for each in group if each.version.major == wanted.major]
    if found is not None or not same:
        return found
    distance = min(abs(version.minor - wanted.minor) for version in same)
    after = [version for version in same if version.minor - wanted.minor == distance]
    best = min(after) if after else max(version for version in same if wanted.minor - version.minor == distance)
    return best, f"Chose the nearest {wanted.major}.X release since there is no {wanted.major}.{wanted.minor}.X"


def _in_range(requires: SpecifierSet, wanted: Version | None, group: list[Runtime]) -> _Found:
    """Within the range: the author's version by the major-minor rule, else the newest."""
    if wanted is not None:
        for version in _same_series(wanted, group):
            if requires.contains(version, prereleases=True):
                return version, f"{_patch_reason(wanted, version)}, within {spelled(requires)}"
    for version in sorted([each.version for each in group], reverse=True):
        if requires.contains(version, prereleases=True):
            return version, f"Chose the newest release within {spelled(requires)}"
    return None


def spelled(requires: SpecifierSet) -> str:
    """Return the range as people write it, lower bounds first: ``>=3.9,<3.12``."""
    parts = sorted(requires, key=lambda part: (part.operator.startswith("<"), str(part)))
    return ",".join(map(str, parts))


def _among_equals(runtime: Runtime) -> tuple[bool, str]:
    """Order runtimes of one version: CPython first, then by path, so that the answer never depends on their order."""
    return runtime.implementation != "cpython", str(runtime.executable)


def _warnings(request: Request, runtime: Runtime) -> tuple[str, ...]:
    warnings = []
    if runtime.state is RuntimeState.deprecated:
        warnings.append(
            f"Python {runtime.version} is deprecated on this server and was chosen because nothing else fits; "
            "move to a newer version"
        )
    if runtime.prerelease and not _names_prerelease(request):
        warnings.append(f"Python {runtime.version} is a pre-release and was chosen because nothing else fits")
    return tuple(warnings)
