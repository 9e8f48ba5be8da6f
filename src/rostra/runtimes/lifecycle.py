"""Which state the settings give a version on a given day. Pure: the day is passed in.

``Deprecated = 3.9`` holds from now on; ``Retired = 3.8 from 2027-01-31`` from the first moment of that day, in UTC.
States turn by themselves, because they are worked out when they are needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.config import sections
from rostra.config.values import dated_range
from rostra.runtimes.model import RuntimeState

_RANK = (RuntimeState.active, RuntimeState.deprecated, RuntimeState.retired)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the settings. ``since`` is None when it holds always; ``text`` is the line's value."""

    state: RuntimeState
    versions: SpecifierSet
    since: dt.date | None
    text: str

    def covers(self, version: Version) -> bool:
        return self.versions.contains(version, prereleases=True)

    def holds(self, today: dt.date) -> bool:
        return self.since is None or today >= self.since


@dataclass(frozen=True, slots=True)
class Turn:
    """The next change of a version's state: ``state`` begins at 00:00 UTC of ``day``."""

    day: dt.date
    state: RuntimeState


def rules_of(python: sections.Python) -> tuple[Rule, ...]:
    """Return what ``[Python] Deprecated`` and ``Retired`` say, in that order.

    Raises:
        ValueError: a line cannot be read; loading a configuration has refused it before.
    """
    lines = [(RuntimeState.deprecated, text) for text in python.deprecated]
    lines += [(RuntimeState.retired, text) for text in python.retired]
    return tuple(Rule(state, *dated_range(text), text) for state, text in lines)


def state_on(version: Version, rules: Sequence[Rule], moment: dt.datetime) -> RuntimeState:
    """Return the state of ``version``; retired outranks deprecated."""
    today = moment.astimezone(dt.UTC).date()
    return _on(version, rules, today)


def next_turn(version: Version, rules: Sequence[Rule], moment: dt.datetime) -> Turn | None:
    """Return when the state of ``version`` changes next; None when it never does."""
    today = moment.astimezone(dt.UTC).date()
    present = _on(version, rules, today)
    days = sorted({rule.since for rule in rules if rule.since and rule.since > today and rule.covers(version)})
    turns = (Turn(day, _on(version, rules, day)) for day in days)
    return next((turn for turn in turns if turn.state is not present), None)


def _on(version: Version, rules: Sequence[Rule], day: dt.date) -> RuntimeState:
    given = [rule.state for rule in rules if rule.holds(day) and rule.covers(version)]
    return max(given, key=_RANK.index, default=RuntimeState.active)
