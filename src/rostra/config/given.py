"""What file, variables and command line say about each setting, as text with its place, and what names no setting."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rostra.config import gcfg
from rostra.config.declarations import Declared, by_name, find
from rostra.config.unsupported import known_elsewhere


@dataclass(frozen=True, slots=True)
class Line:
    """One text given for a setting, and its place: ``server.gcfg:14`` or ``variable ROSTRA_PYTHON_ENABLED``."""

    text: str
    place: str


@dataclass(slots=True)
class Given:
    """The texts of one source by full setting name, with the notes and problems found on the way."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)  # by section, of those that may have labels
    notes: list[str] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)  # (line or 0, sentence)

    def add(self, setting: Declared, text: str, place: str, label: str = "") -> None:
        self.lines.setdefault(setting.key(label), []).append(Line(text, place))
        if setting.labelled and label not in self.labels.setdefault(setting.section, []):
            self.labels[setting.section].append(label)


def from_file(name: str, text: str) -> Given:
    """Read a configuration file; ``name`` stands in front of every line number."""
    given = Given()
    document = gcfg.read(text)
    given.problems += [(fault.line, f"{name}:{fault.line}: {fault.message}") for fault in document.faults]
    for entry in document.entries:
        place = f"{name}:{entry.line}"
        label = "" if entry.label is None else f' "{entry.label}"'
        where = f"{place}: [{entry.section}{label}] {entry.key}"
        setting = by_name().get((entry.section.lower(), entry.key.lower()))
        if setting is not None and (entry.label is None or setting.labelled):
            given.add(setting, entry.value, place, entry.label or "")
        elif known_elsewhere(entry.section, entry.key):
            given.notes.append(f"{where}: not supported here, ignored")
        elif setting is not None:
            given.problems.append((entry.line, f"{where}: [{setting.section}] takes no label"))
        else:
            given.problems.append((entry.line, f"{where}: {_unknown(entry.section, entry.key)}"))
    return given


def from_environment(environ: Mapping[str, str]) -> Given:
    """Read ``ROSTRA_SECTION_NAME`` and ``CONNECT_SECTION_NAME``; of a pair the first wins.

    An unknown ``ROSTRA_`` name in a known section is a problem. Everything else unknown is left alone: clients use
    ``CONNECT_SERVER``, ``CONNECT_API_KEY`` and more of that prefix.
    """
    given = Given()
    for setting in by_name().values():
        for variable in (setting.variable, setting.variable.replace("ROSTRA_", "CONNECT_", 1)):
            if variable in environ:
                _add_all(given, setting, environ[variable], f"variable {variable}")
                break
    sections = {setting.section.upper() for setting in by_name().values()}
    known = [setting.variable for setting in by_name().values()]
    for variable in sorted(environ):
        prefix, _, rest = variable.partition("_")
        section, _, key = rest.partition("_")
        if prefix == "CONNECT" and key and known_elsewhere(section, key):
            given.notes.append(f"variable {variable}: not supported here, ignored")
        elif prefix == "ROSTRA" and key and section in sections and variable not in known:
            guess = _did_you_mean(variable.replace("_", ""), {name.replace("_", ""): name for name in known})
            given.problems.append((0, f"variable {variable}: no such setting{guess}"))
    return given


def from_overrides(overrides: Mapping[str, str]) -> Given:
    """Read ``{"Python.Enabled": "true"}``, as the command line gives it."""
    given = Given()
    for name, text in overrides.items():
        setting = find(name)
        if setting is None:
            section, _, key = name.partition(".")
            given.problems.append((0, f"{name}: {_unknown(section, key)}"))
        else:
            _add_all(given, setting, text, "command line")
    return given


def _add_all(given: Given, setting: Declared, text: str, place: str) -> None:
    given.lines.setdefault(setting.full_name, [])  # an empty variable empties a list
    for part in _parts(setting, text):
        given.add(setting, part, place)


def _parts(setting: Declared, text: str) -> Iterator[str]:
    """Split the text of a repeatable setting at line ends and, where no address can be torn apart, path separators."""
    if not setting.repeatable:
        yield text
        return
    for line in text.split("\n"):
        pieces: Iterable[str] = [line] if "://" in line else line.split(os.pathsep)
        yield from (piece.strip() for piece in pieces if piece.strip())


def _unknown(section: str, key: str) -> str:
    sections = {setting.section.lower(): setting.section for setting in by_name().values()}
    if section.lower() not in sections:
        return f"no such section{_did_you_mean(section, sections)}"
    here = {s.name.lower(): s.name for s in by_name().values() if s.section.lower() == section.lower()}
    elsewhere = [s.section for s in by_name().values() if s.name.lower() == key.lower()]
    if elsewhere and not difflib.get_close_matches(key.lower(), here, n=1, cutoff=0.9):
        return f"no such setting; {key} belongs to [{elsewhere[0]}]"
    return f"no such setting{_did_you_mean(key, here)}"


def _did_you_mean(word: str, names: Mapping[str, str]) -> str:
    """``names``: folded name to the one to show. Folding makes case and underscores no difference."""
    folded = {name.lower(): shown for name, shown in names.items()}
    near = difflib.get_close_matches(word.lower().replace("_", ""), folded, n=1)
    return f"; did you mean {folded[near[0]]}?" if near else ""
