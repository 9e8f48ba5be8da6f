"""What can go wrong with runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from rostra.errors import Invalid, Problem
from rostra.runtimes.model import Policy, Request, Runtime, RuntimeState


class NoMatchingPython(Invalid):
    """No runtime fits the request. The message is the text publishing clients and their users know."""

    code = "no-matching-python"

    def __init__(self, request: Request, policy: Policy, runtimes: Sequence[Runtime]) -> None:
        self.request = request
        self.policy = policy
        self.installed = tuple(sorted(runtimes, key=lambda runtime: runtime.version))
        wanted = f" {request.version}" if request.version else ""
        if request.requires:
            wanted = f" satisfying {request.requires}"
        super().__init__(
            f"Cannot find compatible environment: no compatible Local environment with Python version{wanted}",
            hint=f"This server has {self._have()}{self._rule()}. Publish from one of these, or ask an administrator "
            "to add the version you need under [Python] Executable.",
        )

    def _have(self) -> str:
        names = [f"{each.version}{_mark(each)}" for each in self.installed]
        return "Python " + ", ".join(dict.fromkeys(names)) if names else "no Python"

    def _rule(self) -> str:
        if self.request.requires:
            return ""
        return {
            Policy.exact: " and takes only the exact version",
            Policy.major_minor: " and takes only the same MAJOR.MINOR",
            Policy.nearest: " and takes only the same MAJOR version",
        }[self.policy]


class BelowMinimum(Problem):
    """Interpreters are configured that are older than the server accepts.

    ``lines`` are (place, executable, version); the place is ``rostra.gcfg:14``, a variable, or empty when not known.
    """

    code = "below-minimum"

    def __init__(self, lines: Sequence[tuple[str, Path, Version]], minimum: str) -> None:
        self.lines = tuple(lines)
        self.minimum = minimum
        sentences = [
            f"{place + ': ' if place else ''}[Python] Executable = {path}: "
            f"Python {version} is older than {minimum}, the oldest this server accepts"
            for place, path, version in self.lines
        ]
        super().__init__(
            "\n".join(sentences),
            hint="Remove the line." if len(self.lines) == 1 else "Remove these lines.",
        )


def _mark(runtime: Runtime) -> str:
    return "" if runtime.state is RuntimeState.active else f" ({runtime.state.value})"
