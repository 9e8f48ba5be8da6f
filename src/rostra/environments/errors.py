"""What can be wrong with requirements, and what goes wrong while installing them."""

from __future__ import annotations

from collections.abc import Sequence

from rostra.environments.requirement_lines import Line
from rostra.errors import Invalid, Problem, Unavailable


class BadRequirement(Invalid):
    """A line of a requirements file that cannot be understood or may not be used."""

    code = "bad-requirement"

    def __init__(self, line: Line, why: str, *, hint: str) -> None:
        self.file, self.line, self.text = line.file, line.number, line.text
        super().__init__(f"{line.place}: {line.text[:200]!r} {why}.", hint=hint)


class InstallFailed(Problem):
    """The installer could not install the packages.

    ``reason`` is a public word (``python-package-version-not-available``), ``requirement`` the one that failed ("" when
    it cannot be told), ``lines`` the installer's own decisive lines, first things first.
    """

    code = "install-failed"

    def __init__(self, message: str, *, hint: str, reason: str, requirement: str, lines: Sequence[str]) -> None:
        self.reason, self.requirement, self.lines = reason, requirement, tuple(lines)
        super().__init__(message, hint=hint)


class ShellFailed(Unavailable):
    """A program needed for the installation could not be started at all."""

    code = "build-shell-failed"
