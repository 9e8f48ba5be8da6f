"""Choose the R and the Quarto a piece of content gets, and say why. Pure: no disk, no subprocess.

The rules are those of Python (`matching`), also that a range decides where a bundle has one, with one difference:
``nearest`` also crosses a MAJOR version when nothing else is there, because it means "whatever comes closest".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.errors import Invalid
from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.matching import choose, spelled
from rostra.runtimes.model import Policy, Request, Runtime
from rostra.runtimes.r_model import QuartoInstallation, RInstallation


class NoMatchingR(Invalid):
    """No R fits. The message has the form publishing clients and their users know."""

    code = "no-matching-r"

    def __init__(
        self,
        wanted: Version | None,
        policy: Policy,
        installed: Sequence[Version],
        requires: SpecifierSet | None = None,
    ) -> None:
        self.wanted, self.policy, self.installed = wanted, policy, tuple(sorted(installed))
        have = "R " + ", ".join(map(str, self.installed)) if self.installed else "no R"
        rule = {Policy.exact: "the exact version", Policy.major_minor: "the same MAJOR.MINOR"}.get(policy, "")
        rule = "" if requires else rule  # a range is answered the same way by every policy
        asked = f" satisfying {spelled(requires)}" if requires else f" {wanted}" if wanted else ""
        super().__init__(
            f"Cannot find compatible environment: no compatible Local environment with R version{asked}",
            hint=f"This server has {have}{f' and takes only {rule}' if rule and installed else ''}. Publish from one "
            "of these, or ask an administrator to add the version you need under [R] Executable.",
        )


class NoMatchingQuarto(Invalid):
    """No Quarto lies within the range a bundle has."""

    code = "no-matching-quarto"

    def __init__(self, requires: SpecifierSet, installed: Sequence[Version]) -> None:
        self.requires, self.installed = requires, tuple(sorted(installed))
        super().__init__(
            "Cannot find compatible environment: no compatible Local environment with Quarto version satisfying "
            + spelled(requires),
            hint=f"This server has Quarto {', '.join(map(str, self.installed))}. Ask for one of these, or ask an "
            "administrator to add what you need under [Quarto] Executable.",
        )


@dataclass(frozen=True, slots=True)
class RMatch:
    """The chosen R, and why, as one sentence for the deploy log."""

    r: RInstallation
    reason: str
    warnings: tuple[str, ...] = ()


def choose_r(
    wanted: Version | None,
    policy: Policy,
    installed: Sequence[RInstallation],
    requires: SpecifierSet | None = None,
) -> RMatch:
    """Return the R for content written with ``wanted`` (None: it does not say) that says it runs on ``requires``.

    Raises:
        NoMatchingR: nothing fits; it carries what is installed.
    """
    runtimes = [each.runtime for each in installed]
    try:
        found = choose(Request(version=wanted, requires=requires), policy, runtimes)
    except NoMatchingPython:
        if requires or wanted is None or policy is not Policy.nearest or not runtimes:
            raise NoMatchingR(wanted, policy, [each.version for each in runtimes], requires) from None
        return _across(wanted, installed)
    return RMatch(_of(found.runtime, installed), found.reason)


def choose_quarto(
    wanted: Version | None, installed: Sequence[QuartoInstallation], requires: SpecifierSet | None = None
) -> QuartoInstallation | None:
    """Return the oldest Quarto that is not older than ``wanted``, else the newest; None when there is none at all.

    Raises:
        NoMatchingQuarto: there are some, and none within ``requires``.
    """
    by_age = sorted(installed, key=lambda each: each.version)
    if requires and by_age:
        by_age = [each for each in by_age if requires.contains(each.version, prereleases=True)]
        if not by_age:
            raise NoMatchingQuarto(requires, [each.version for each in installed])
    newer = [each for each in by_age if wanted is not None and each.version >= wanted]
    return next(iter(newer or by_age[-1:]), None)


def _across(wanted: Version, installed: Sequence[RInstallation]) -> RMatch:
    """Return the R that comes closest in another MAJOR version: the oldest newer one, else the newest."""
    newer = [each for each in installed if each.version > wanted]
    chosen = min(newer, key=lambda each: each.version) if newer else max(installed, key=lambda each: each.version)
    return RMatch(
        chosen,
        f"Chose the nearest release since there is no {wanted.major}.X",
        (f"R {chosen.version} is another major version than {wanted}, for which this was written",),
    )


def _of(runtime: Runtime, installed: Sequence[RInstallation]) -> RInstallation:
    return next(each for each in installed if each.runtime is runtime)
