"""The settings of `sections` as a flat list, under the names people write."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from rostra.config.sections import Settings

_TITLES = {"http": "HTTP", "smtp": "SMTP"}  # where the class name is not how people write the section
_TYPES: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    dt.timedelta: "duration",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One setting. ``type`` is what one line holds; ``repeatable`` settings are tuples of it."""

    section: str  # as written in the file: Python
    name: str  # as written in the file: VersionMatching
    section_attribute: str
    attribute: str
    type: type
    repeatable: bool
    default: Any
    help: str
    since: str
    secret: bool
    choices: tuple[str, ...]
    reloadable: bool
    unit: str
    labelled: bool = False  # the section may stand there several times, each with its label

    @property
    def full_name(self) -> str:
        return f"{self.section}.{self.name}"

    def key(self, label: str) -> str:
        """Return the full name under one label: ``GitCredential "forge".Host``."""
        return f'{self.section} "{label}".{self.name}' if label else self.full_name

    @property
    def variable(self) -> str:
        return f"ROSTRA_{self.section}_{self.name}".upper()

    @property
    def type_words(self) -> str:
        """What a value looks like, in words: ``duration``, ``size``, ``one of text, json``."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = "size" if self.unit == "bytes" else _TYPES[self.type]
        return f"{words}; repeat the line for more" if self.repeatable else words


@functools.cache
def all_settings() -> tuple[Declared, ...]:
    """Return every setting of sections without labels, in the order of the reference page."""
    return tuple(each for each in _walk() if not each.labelled)


@functools.cache
def labelled_settings() -> tuple[Declared, ...]:
    """Return every setting of sections that may have labels."""
    return tuple(each for each in _walk() if each.labelled)


@functools.cache
def by_name() -> dict[tuple[str, str], Declared]:
    """Return every setting under (section, name), both lower-case."""
    return {(each.section.lower(), each.name.lower()): each for each in (*all_settings(), *labelled_settings())}


def find(full_name: str) -> Declared | None:
    """Return the setting called ``Section.Name``, case ignored."""
    section, _, name = full_name.lower().partition(".")
    return by_name().get((section, name))


def _walk() -> Iterator[Declared]:
    for part in dataclasses.fields(Settings):
        section_class = get_type_hints(Settings)[part.name]
        labelled = get_origin(section_class) is Mapping
        if labelled:
            section_class = get_args(section_class)[1]
        hints = get_type_hints(section_class)
        for field in dataclasses.fields(section_class):
            one, repeatable = _shape(hints[field.name])
            yield Declared(
                section=_TITLES.get(part.name, section_class.__name__),
                name=field.metadata["name"] or "".join(word.title() for word in field.name.split("_")),
                section_attribute=part.name,
                attribute=field.name,
                type=one,
                repeatable=repeatable,
                default=field.default,
                labelled=labelled,
                **{key: value for key, value in field.metadata.items() if key != "name"},
            )


def _shape(hint: Any) -> tuple[type, bool]:
    """Return the type of one line's value, and whether there may be several."""
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True
    if get_origin(hint) is types.UnionType:  # "Path | None": absent by default
        return next(part for part in get_args(hint) if part is not type(None)), False
    return hint, False
