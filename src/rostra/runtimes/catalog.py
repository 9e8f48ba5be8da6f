"""The interpreters of this server: every one looked at, which can be used, and what to say about the others."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from rostra.config import sections
from rostra.config.load import Source
from rostra.runtimes.discover import discover
from rostra.runtimes.errors import BelowMinimum
from rostra.runtimes.lifecycle import Rule, Turn, next_turn, rules_of, state_on
from rostra.runtimes.model import Policy, Runtime, RuntimeState
from rostra.runtimes.probe import Probe, probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One configured (or found) interpreter. ``place`` is ``rostra.gcfg:14``, empty when found by searching.

    ``state`` is that of the moment the catalog was made for, ``turn`` its next change.
    ``problem`` says why it cannot be used; ``note`` says something worth knowing about one that can.
    """

    probe: Probe
    place: str
    state: RuntimeState
    turn: Turn | None = None
    problem: str = ""
    note: str = ""

    @property
    def usable(self) -> bool:
        return not self.problem

    @property
    def complaint(self) -> str:
        """Return what is wrong with a line of the configuration; empty for what was found by searching."""
        wrong = self.problem and self.place
        return f"{self.place}: [Python] Executable: {self.probe.executable} {self.problem}" if wrong else ""

    @property
    def remedy(self) -> str:
        """Return what to do about it."""
        return f"correct {self.place} or remove it, then: rostra reload" if self.complaint else ""

    def cells(self) -> tuple[str, str, str, str]:
        """Return version, implementation, path and verdict, in words."""
        path, target = str(self.probe.executable), self.probe.target
        if target != self.probe.executable:
            path += f" -> {target.name if target.parent == self.probe.executable.parent else target}"
        verdict = self.problem or ("usable" if self.state is RuntimeState.active else self.state.value)
        if self.usable and self.turn:
            verdict += f", {self.turn.state.value} from {self.turn.day}"
        version, implementation = str(self.probe.version or "-"), self.probe.implementation or "-"
        return version, implementation, path, f"{verdict}; {self.note}" if self.note else verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What this server has. ``rows`` are in configured order; ``policy`` is the one in force.

    Its states are those of one moment: a server that runs for months asks `at` for those of the present one.
    """

    rows: tuple[Row, ...] = ()
    policy: Policy = Policy.major_minor
    minimum: str = "3.8.0"
    discovered: bool = False
    rules: tuple[Rule, ...] = ()

    def at(self, moment: dt.datetime) -> Catalog:
        """Return the same interpreters with their states as they are at ``moment``."""
        if not any(rule.since for rule in self.rules):
            return self
        return replace(self, rows=tuple(_turned(row, self.rules, moment) for row in self.rows))

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """Return every usable runtime, oldest first, also the deprecated and retired ones; no file twice."""
        found = {row.probe.target: row.probe.runtime(row.state) for row in reversed(self.rows) if row.usable}
        return tuple(sorted(found.values(), key=lambda runtime: (runtime.version, str(runtime.executable))))

    def find(self, version: str, executable: str = "") -> Runtime | None:
        """Return the runtime recorded as (version, path), None when it is gone.

        Another path with the same version will do: an interpreter may have moved.
        """
        same = [runtime for runtime in self.runtimes if str(runtime.version) == version]
        return next((each for each in same if str(each.executable) == executable), same[0] if same else None)

    @property
    def below_minimum(self) -> tuple[Row, ...]:
        """Return the configured interpreters that are older than the minimum."""
        return tuple(row for row in self.rows if row.probe.version and row.probe.version < Version(self.minimum))

    def lines(self) -> list[str]:
        """Return the table for the log, one line for each interpreter."""
        cells = [row.cells() for row in self.rows]
        widths = [max((len(cell[column]) for cell in cells), default=0) for column in range(3)]
        return ["  ".join([*(text.ljust(width) for text, width in zip(c, widths, strict=False)), c[3]]) for c in cells]

    def to_json(self) -> list[dict[str, object]]:
        """Return one object for each interpreter."""
        return [_row_json(row) for row in self.rows]


async def open_catalog(
    python: sections.Python,
    *,
    memory: Path | None,
    sources: Mapping[str, Source] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Catalog:
    """Look at the interpreters of ``python`` and return what can be used; nothing when Python is not enabled.

    ``memory`` keeps what they said between calls. ``sources`` (of `Loaded`) gives complaints their file and line.
    ``environ`` is where to look when none is configured; this process's own by default.

    Raises:
        BelowMinimum: a configured interpreter is older than the minimum.
    """
    catalog = await inspect(python, memory=memory, sources=sources, environ=environ)
    too_old = [(row.place, row.probe.executable, row.probe.version) for row in catalog.below_minimum]
    if too_old and not catalog.discovered:
        raise BelowMinimum([(place, path, version) for place, path, version in too_old if version], catalog.minimum)
    return catalog


async def inspect(
    python: sections.Python,
    *,
    memory: Path | None,
    sources: Mapping[str, Source] | None = None,
    environ: Mapping[str, str] | None = None,
    moment: dt.datetime | None = None,
) -> Catalog:
    """As `open_catalog`, but interpreters below the minimum are rows with a problem.

    States are those at ``moment``, now when None.
    """
    policy, minimum, rules = Policy(python.version_matching), python.minimum_version, rules_of(python)
    if not python.enabled:
        return Catalog(policy=policy, minimum=minimum)
    discovered = not python.executable
    paths = python.executable or discover(os.environ if environ is None else environ)
    probes = await probe(paths, timeout=python.probe_timeout, memory=memory)
    if discovered:  # configured ones stay in the order of their lines
        probes = tuple(sorted(probes, key=lambda found: found.version or Version("0")))
    rows = _rows(probes, python, _places(len(paths), sources))
    now = moment or dt.datetime.now(dt.UTC)
    return Catalog(
        rows=tuple(_turned(row, rules, now) for row in rows),
        policy=policy,
        minimum=minimum,
        discovered=discovered,
        rules=rules,
    )


def state_of(version: Version, python: sections.Python, moment: dt.datetime | None = None) -> RuntimeState:
    """Return the state the settings give to ``version`` at ``moment`` (now when None)."""
    return state_on(version, rules_of(python), moment or dt.datetime.now(dt.UTC))


def _turned(row: Row, rules: Sequence[Rule], moment: dt.datetime) -> Row:
    version = row.probe.version
    if version is None:
        return row
    return replace(row, state=state_on(version, rules, moment), turn=next_turn(version, rules, moment))


def _places(count: int, sources: Mapping[str, Source] | None) -> tuple[str, ...]:
    places = sources["Python.Executable"].places if sources else ()
    return places if len(places) == count else ("",) * count


def _rows(probes: Sequence[Probe], python: sections.Python, places: Sequence[str]) -> tuple[Row, ...]:
    seen: dict[Path, Path] = {}
    versions: dict[Version, Path] = {}
    rows = []
    for found, place in zip(probes, places, strict=True):
        version = found.version
        problem, note = found.problem, ""
        if version and version < Version(python.minimum_version):
            problem = f"is older than the minimum {python.minimum_version}"
        elif found.usable and version:
            note = _note(found, version, seen, versions)
            seen.setdefault(found.target, found.executable)
            versions.setdefault(version, found.executable)
        rows.append(Row(probe=found, place=place, state=RuntimeState.active, problem=problem, note=note))
    return tuple(rows)


def _note(found: Probe, version: Version, seen: Mapping[Path, Path], versions: Mapping[Version, Path]) -> str:
    if found.target in seen:
        return f"the same interpreter as {seen[found.target]}"
    if version in versions:
        return f"the same version as {versions[version]}"
    return ""


def _row_json(row: Row) -> dict[str, object]:
    answer = row.probe.answer
    return {
        "version": str(row.probe.version) if row.probe.version else None,
        "path": str(row.probe.executable),
        "target": str(row.probe.target),
        "links": [str(link) for link in row.probe.links],
        "implementation": row.probe.implementation or None,
        "platform": answer.platform if answer else None,
        "usable": row.usable,
        "state": row.state.value,
        "turns": {"day": str(row.turn.day), "state": row.turn.state.value} if row.turn else None,
        "problem": row.problem or None,
        "note": row.note or None,
        "place": row.place or None,
        "setuptools": (answer.setuptools or None) if answer else None,
        "seconds": round(row.probe.seconds, 4),
        "remembered": row.probe.remembered,
    }
