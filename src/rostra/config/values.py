"""Turn the text of one setting into its value, and back into text people recognise."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra import units
from rostra.config.declarations import Declared

_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
HIDDEN = "(hidden)"


def parse(setting: Declared, text: str) -> Any:
    """Return the value that one line's ``text`` gives ``setting``.

    Raises:
        ValueError: with a sentence that says what is expected. It never repeats a secret.
    """
    if setting.choices:
        return _choice(text, setting.choices)
    if setting.unit == "bytes":
        return _bounded(units.size, text, "size")
    if setting.type is str:
        return text
    return _READERS[setting.type](text)


def version_range(text: str) -> SpecifierSet:
    """Read a version (``3.9.7``), all releases under one (``3.9``) or a PEP 440 range (``<3.10``, ``>=3.8,<3.9``).

    Raises:
        ValueError: with a sentence that says what is expected.
    """
    compact = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return SpecifierSet(f"=={compact}.*")
    try:
        return SpecifierSet(f"=={Version(compact)}")
    except ValueError:
        pass
    try:
        found = SpecifierSet(compact)
    except ValueError:
        found = SpecifierSet()
    if not len(found):
        if re.fullmatch(r"[\d.]+(\s*,\s*[\d.]+)+", compact):  # a range has commas too, so these cannot be guessed at
            raise ValueError(f"{text!r} is more than one version; give each alone, or a range such as >=3.9,<3.11")
        raise ValueError(f"{text!r} is not a version or a range; write for example 3.9, 3.9.7 or <3.10")
    return found


def dated_range(text: str) -> tuple[SpecifierSet, dt.date | None]:
    """Read a version or range as `version_range` does, with an optional day it holds from: ``3.8 from 2027-01-31``.

    Raises:
        ValueError: with a sentence that says what is expected.
    """
    versions, *days = re.split(r"\s+from\b", text.strip(), maxsplit=1)
    if not days:
        return version_range(versions), None
    day = days[0].strip()
    try:
        since = dt.date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"{day!r} is not a day; write for example 3.8 from 2027-01-31") from None
    return version_range(versions), since


def shown(setting: Declared, value: Any) -> str | list[str]:
    """Return ``value`` as it would stand in the file; secrets and passwords inside addresses are hidden."""
    if setting.repeatable:
        return [_shown_one(setting, each) for each in value]
    return _shown_one(setting, value)


def _shown_one(setting: Declared, value: Any) -> str:
    if value is None or value == "":
        return ""
    if setting.secret:
        return HIDDEN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.timedelta):
        return units.human_duration(value)
    if setting.unit == "bytes":
        return _exact_size(value)
    return without_password(str(value))


def _exact_size(count: int) -> str:
    for power, letter in ((3, "G"), (2, "M"), (1, "K")):
        for base, suffix in ((1000, "B"), (1024, "iB")):
            if count and count % base**power == 0:
                return f"{count // base**power} {letter}{suffix}"
    return str(count)


def without_password(text: str) -> str:
    """Return ``text`` with the password of an address like ``https://user:password@host`` replaced by ``***``."""
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        return HIDDEN if "@" in text else text
    if password is None:
        return text
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))


def _choice(text: str, choices: tuple[str, ...]) -> str:
    wanted = text.strip().lower()
    if wanted in choices:
        return wanted
    near = difflib.get_close_matches(wanted, choices, n=1)
    question = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{text!r} is not one of {', '.join(choices)}{question}")


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError(f"{text!r} is neither true nor false")


def _whole_number(text: str) -> int:
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a number; write for example 0.5")
    return float(text)


def _path(text: str) -> Path:
    path = Path(text)
    if "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    if not path.is_absolute():
        raise ValueError(f"{text!r} is not an absolute path; begin it with /")
    return path


def _duration(text: str) -> dt.timedelta:
    return _bounded(units.duration, text, "duration")  # type: ignore[no-any-return]


def _bounded(reader: Any, text: str, what: str) -> Any:
    try:
        return reader(text)
    except OverflowError:
        raise ValueError(f"{text!r} is too large for a {what}") from None


_READERS: dict[type, Any] = {
    bool: _boolean,
    int: _whole_number,
    float: _decimal,
    Path: _path,
    dt.timedelta: _duration,
}
