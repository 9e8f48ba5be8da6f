"""What can be wrong with a configuration, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence

from rostra.errors import Invalid


class ConfigProblems(Invalid):
    """Everything that is wrong with the settings. ``problems`` are sentences, each beginning with its place."""

    code = "config"

    def __init__(
        self,
        problems: Sequence[str],
        hint: str = "Run `rostra config explain SECTION.NAME` to see what a setting takes.",
    ) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), hint=hint)
