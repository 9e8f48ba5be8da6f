"""Join configuration file, environment variables and command line into `Settings`, and say everything that is wrong.

The command line outranks variables, variables outrank the file, the file outranks the defaults. A list is taken whole
from the highest of them that names it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rostra.config import checks, values
from rostra.config.declarations import Declared, all_settings, labelled_settings
from rostra.config.errors import ConfigProblems
from rostra.config.given import Given, Line, from_environment, from_file, from_overrides
from rostra.config.sections import GitCredential, Settings

_LARGEST_FILE = 1_000_000
LABELLED = {"git_credentials": GitCredential}  # what the sections of each mapping of `Settings` are


class Origin(StrEnum):
    default = "default"
    evaluation = "evaluation"
    file = "file"
    variable = "variable"
    command_line = "command line"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from. ``places`` has one entry for each line of a list: ``rostra.gcfg:14``."""

    origin: Origin
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.origin is Origin.evaluation:
            return "evaluation server"
        return ", ".join(dict.fromkeys(self.places)) or self.origin.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings in force. ``sources`` has every setting under its full name; ``notes`` are sentences for the log.

    ``path`` is None on the evaluation server.
    """

    settings: Settings
    sources: Mapping[str, Source]
    notes: tuple[str, ...] = ()
    path: Path | None = None


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, str] = MappingProxyType({})) -> Loaded:
    """Return the settings of ``path``, ``environ`` and ``overrides`` ({"Section.Name": text}).

    Without a path: those of the evaluation server, which listens on loopback, keeps its data under the user's home and
    uses the interpreters it finds.

    Raises:
        ConfigProblems: with every problem there is.
    """
    file = Given() if path is None else from_file(str(path), _text_of(path))
    layers = [
        (Origin.command_line, from_overrides(overrides)),
        (Origin.variable, from_environment(environ)),
        (Origin.file, file),
    ]
    defaults = _evaluation_defaults(environ) if path is None else {}
    reading = _Reading(problems=[problem for _, given in layers for problem in given.problems])
    reading.notes += [note for _, given in layers for note in given.notes]
    chosen = {setting: reading.value(setting, layers, defaults) for setting in all_settings()}
    labelled = reading.labelled(layers)
    settings = dataclasses.replace(_assemble(chosen), **labelled)
    for name, message in checks.complaints(settings):
        reading.complain(name, message)
    if reading.problems:
        raise ConfigProblems([sentence for _, sentence in sorted(dict.fromkeys(reading.problems))])
    return Loaded(
        settings=settings,
        sources=MappingProxyType(reading.sources),
        notes=(*reading.notes, *_remarks(settings)),
        path=path,
    )


def evaluation(environ: Mapping[str, str], overrides: Mapping[str, str] = MappingProxyType({})) -> Loaded:
    """Return the settings of a server started without a configuration file."""
    return load(None, environ, overrides)


@dataclass(slots=True)
class _Reading:
    """What is collected while each setting gets its value."""

    problems: list[tuple[int, str]]
    notes: list[str] = dataclasses.field(default_factory=list)
    sources: dict[str, Source] = dataclasses.field(default_factory=dict)

    def labelled(self, layers: list[tuple[Origin, Given]]) -> dict[str, Any]:
        """Return the sections with labels, by the attribute of `Settings` that holds them and then by label."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for setting in labelled_settings():
            labels = dict.fromkeys(
                each for _, given in reversed(layers) for each in given.labels.get(setting.section, ())
            )
            for label in labels:
                values_of = found.setdefault(setting.section_attribute, {}).setdefault(label, {})
                values_of[setting.attribute] = self.value(setting, layers, {}, label)
        made = {attribute: LABELLED[attribute] for attribute in found}
        return {
            attribute: MappingProxyType({label: made[attribute](**each) for label, each in sections.items()})
            for attribute, sections in found.items()
        }

    def value(
        self, setting: Declared, layers: list[tuple[Origin, Given]], defaults: Mapping[str, Any], label: str = ""
    ) -> Any:
        name = setting.key(label)
        for origin, given in layers:
            if name in given.lines:
                return self._parsed(setting, origin, given.lines[name], label)
        origin = Origin.evaluation if name in defaults else Origin.default
        self.sources[name] = Source(origin)
        return defaults.get(name, setting.default)

    def complain(self, name: str, message: str) -> None:
        section, _, key = name.rpartition(".")
        places = self.sources[name].places
        number = _line_number(places[0]) if places else 0
        self.problems.append((number, f"{places[0] + ': ' if places else ''}[{section}] {key}: {message}"))

    def _parsed(self, setting: Declared, origin: Origin, lines: list[Line], label: str) -> Any:
        used = lines if setting.repeatable else lines[-1:]
        self.sources[setting.key(label)] = Source(origin, tuple(line.place for line in used))
        if len(used) < len(lines):
            where = f"{used[0].place}: [{setting.section}] {setting.name}"
            self.notes.append(f"{where}: set before at {lines[0].place}; the last one counts")
        good = [value for line in used for value in self._one(setting, line)]
        if setting.repeatable:
            return tuple(good)
        return good[0] if good else setting.default

    def _one(self, setting: Declared, line: Line) -> list[Any]:
        where = f"{line.place}: [{setting.section}] {setting.name}"
        try:
            value = values.parse(setting, line.text)
        except ValueError as why:
            self.problems.append((_line_number(line.place), f"{where}: {why}"))
            return []
        if isinstance(value, dt.timedelta) and line.text.strip().isdigit() and int(line.text) > 0:
            self.notes.append(f"{where}: {line.text.strip()} without a unit is nanoseconds; write for example 30s")
        return [value]


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as why:
        raise ConfigProblems([f"{path}: cannot be read: {why.strerror or why}"]) from None
    if len(raw) > _LARGEST_FILE:
        raise ConfigProblems([f"{path}: larger than {_LARGEST_FILE} bytes; this is not a configuration file"])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as why:
        number = raw.count(b"\n", 0, why.start) + 1
        raise ConfigProblems([f"{path}:{number}: not UTF-8"]) from None


def _evaluation_defaults(environ: Mapping[str, str]) -> dict[str, Any]:
    data_home = environ.get("XDG_DATA_HOME", "")
    home = environ.get("HOME", "")
    if not data_home.startswith("/"):  # the base directory specification says: ignore a relative one
        data_home = str((Path(home) if home.startswith("/") else Path.home()) / ".local/share")
    return {
        "Server.DataDir": Path(data_home) / "rostra",
        "HTTP.Listen": "127.0.0.1:3939",
        "Python.Enabled": True,
    }


def _assemble(chosen: Mapping[Declared, Any]) -> Settings:
    parts: dict[str, dict[str, Any]] = {}
    for setting, value in chosen.items():
        parts.setdefault(setting.section_attribute, {})[setting.attribute] = value
    base = Settings()
    return Settings(
        **{name: dataclasses.replace(getattr(base, name), **attributes) for name, attributes in parts.items()}
    )


def _remarks(settings: Settings) -> list[str]:
    python = settings.python
    if python.enabled and not python.executable:
        return ["[Python] Executable is not set: the interpreters found on this machine are used"]
    if python.executable and not python.enabled:
        return ["[Python] Enabled is false: the Executable lines have no effect"]
    return []


def _line_number(place: str) -> int:
    number = place.rpartition(":")[2]
    return int(number) if number.isdigit() else 0
