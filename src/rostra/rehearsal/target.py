"""The first step: which interpreter an item would get once some are retired, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.config.values import version_range
from rostra.errors import Invalid
from rostra.rehearsal.model import Matched
from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.matching import choose, spelled
from rostra.runtimes.model import Policy, Request, Runtime, RuntimeState

AUTO = "auto"


class NotARange(Invalid):
    """What is to be retired, or to be moved to, is neither a version nor a range."""

    code = "not-a-range"

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        super().__init__(f"{text[:80]!r} cannot be used: {why}", hint="Write for example 3.8, 3.9.7 or <3.10.")


class NothingRetired(Invalid):
    """Nothing was named that should be retired."""

    code = "nothing-retired"

    def __init__(self) -> None:
        super().__init__("no version was named", hint="Say which: --retire 3.8, or --retire 3.8,3.9.")


class NoSuchTarget(Invalid):
    """The version to move to is not on this server, or is to be retired itself."""

    code = "no-such-target"

    def __init__(self, onto: str, left: Sequence[Runtime]) -> None:
        known = ", ".join(str(version) for version in sorted({each.version for each in left}))
        super().__init__(
            f"this server has no Python {onto} that would be left",
            hint=f"Left would be {known}: write one of them, or auto." if known else "No Python would be left at all.",
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked: ``retire`` are versions or ranges, ``onto`` is one, or ``auto``."""

    retire: tuple[str, ...]
    onto: str = AUTO

    def retires(self, version: Version | str) -> bool:
        return any(version_range(text).contains(str(version), prereleases=True) for text in self.retire)


def wish(retire: Sequence[str], onto: str) -> Wish:
    """Return the wish, checked.

    Raises:
        NotARange, NothingRetired
    """
    words = tuple(word.strip() for text in retire for word in _words(text))
    if not words:
        raise NothingRetired
    onto = onto.strip() or AUTO
    for word in (*words, *(() if onto == AUTO else (onto,))):
        try:
            version_range(word)
        except ValueError as why:
            raise NotARange(word, str(why)) from None
    return Wish(words, onto)


def _words(text: str) -> list[str]:
    """Split at commas, except inside a range: ``3.8,3.9`` is two, ``>=3.8,<3.10`` is one."""
    parts = [part for part in text.split(",") if part.strip()]
    return [text] if any(part.strip()[0] in "<>=!~" for part in parts) else parts


def require_target(asked: Wish, runtimes: Sequence[Runtime]) -> None:
    """Refuse a version to move to that nothing could move to.

    Raises:
        NoSuchTarget
    """
    if asked.onto == AUTO:
        return
    left, wanted = _left(runtimes, asked), version_range(asked.onto)
    if not any(wanted.contains(each.version, prereleases=True) for each in left):
        raise NoSuchTarget(asked.onto, left)


def _left(runtimes: Sequence[Runtime], asked: Wish) -> list[Runtime]:
    return [each for each in runtimes if each.state is not RuntimeState.retired and not asked.retires(each.version)]


def target(request: Request, policy: Policy, version: Version, runtimes: Sequence[Runtime], asked: Wish) -> Matched:
    """Return the interpreter for an item that runs on ``version`` today.

    ``onto`` a version: the newest release in it. ``auto``: what the policy and the item's own range give without the
    retired ones; where they give nothing, the nearest newer release that the range allows.
    """
    left = _left(runtimes, asked)
    if asked.onto != AUTO:
        return _onto(request, version_range(asked.onto), left, asked)
    try:
        found = choose(request, policy, left)
    except NoMatchingPython:
        return _nearest(request, version, left)
    return _to(found.runtime, found.reason)


def _onto(request: Request, wanted: SpecifierSet, left: Sequence[Runtime], asked: Wish) -> Matched:
    fitting = [each for each in left if wanted.contains(each.version, prereleases=True)]
    if not fitting:
        return Matched(forbidden=f"this server has no Python {asked.onto} that is not retired")
    best = max(fitting, key=_preferred)
    if forbidden := _forbids(request, best):
        return Matched(to=str(best.version), path=str(best.executable), forbidden=forbidden)
    return _to(best, f"Python {asked.onto} was asked for")


def _nearest(request: Request, version: Version, left: Sequence[Runtime]) -> Matched:
    newer = [each for each in left if each.version > version and each.version.major == version.major]
    newer = [each for each in newer if not each.prerelease] or newer
    newer = [each for each in newer if each.state is RuntimeState.active] or newer
    if not newer:
        return Matched(forbidden=f"this server has no Python newer than {version} that is not retired")
    allowed = [each for each in newer if not _forbids(request, each)]
    series = min(each.series for each in allowed or newer)
    best = max((each for each in allowed or newer if each.series == series), key=_preferred)
    if not allowed:
        return Matched(to=str(best.version), path=str(best.executable), forbidden=_forbids(request, best))
    return _to(best, "the version rule gives none of those left; this is the nearest newer one")


def _forbids(request: Request, runtime: Runtime) -> str:
    if request.requires is None or request.requires.contains(runtime.version, prereleases=True):
        return ""
    return f"its own range {spelled(request.requires)} does not allow Python {runtime.version}"


def _preferred(runtime: Runtime) -> tuple[bool, Version, bool]:
    return runtime.state is RuntimeState.active, runtime.version, runtime.implementation == "cpython"


def _to(runtime: Runtime, reason: str) -> Matched:
    return Matched(to=str(runtime.version), path=str(runtime.executable), reason=reason)
