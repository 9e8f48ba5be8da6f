"""What an interpreter is asked about itself, and the strict reading of whatever comes back. Pure: starts nothing.

The answer is hostile until read: anything that is not exactly what the question produces is "not Python".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

MARK = "rostra-interview "
LONGEST_ANSWER = 32_768
_LONGEST_TEXT = 4_096

# Runs on Python 2.7 and later, so that an old interpreter can say how old it is. The first line takes the working
# folder off the path, as -I would (2.7 has no -I).
QUESTION = """\
import sys
sys.path[:] = [p for p in sys.path if p]
import json, os
try:
    from importlib.util import find_spec as find
except ImportError:
    from imp import find_module as find
import sysconfig
def has(name):
    try:
        return find(name) is not None
    except Exception:
        return False
def setuptools():
    for folder in sys.path:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            parts = name.split("-")
            if parts[0] == "setuptools" and name.endswith((".dist-info", ".egg-info")) and len(parts) > 1:
                return parts[1].rsplit(".dist", 1)[0].rsplit(".egg", 1)[0]
    return ""
get = sysconfig.get_config_var
paths = sysconfig.get_paths()
v = sys.version_info
level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(v[3], "")
version = "%d.%d.%d" % tuple(v[:3]) + (level + str(v[4]) if level else "")
implementation = getattr(sys, "implementation", None)
answer = {
    "version": version,
    "implementation": implementation.name if implementation else "cpython",
    "cache_tag": (getattr(implementation, "cache_tag", "") or "") if implementation else "",
    "platform": sysconfig.get_platform(),
    "executable": sys.executable or "",
    "prefix": sys.prefix,
    "base_prefix": getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", sys.prefix),
    "base_exec_prefix": getattr(sys, "base_exec_prefix", sys.exec_prefix),
    "stdlib": paths["stdlib"],
    "platstdlib": paths["platstdlib"],
    "purelib": paths["purelib"],
    "libdir": str(get("LIBDIR") or "") if ".so" in str(get("LDLIBRARY") or "") else "",
    "library": str(get("INSTSONAME") or get("LDLIBRARY") or ""),
    "pip": has("pip"),
    "venv": has("venv"),
    "ensurepip": has("ensurepip"),
    "setuptools": setuptools(),
}
sys.stdout.write("\\n" + "MARK" + json.dumps(answer) + "\\n")
""".replace("MARK", MARK)

QUESTION_ID = hashlib.sha256(QUESTION.encode()).hexdigest()[:16]  # an answer is remembered only for this question


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an interpreter said. Paths are absolute; ``libdir`` is empty unless it needs a shared library from there."""

    version: Version
    implementation: str
    cache_tag: str
    platform: str
    executable: str
    prefix: str
    base_prefix: str
    base_exec_prefix: str
    stdlib: str
    platstdlib: str
    purelib: str
    libdir: str
    library: str
    pip: bool
    venv: bool
    ensurepip: bool
    setuptools: str


class NotAnAnswer(ValueError):
    """The output is not what the question produces."""


def read_output(output: bytes) -> Answer:
    """Return the answer in ``output``; whatever stands before it (start-up chatter of a site) is skipped.

    Raises:
        NotAnAnswer: the output has no answer, or one that cannot be right.
    """
    marked = [line for line in output.splitlines() if line.startswith(MARK.encode())]
    if not marked:
        raise NotAnAnswer("no answer")
    try:
        return from_json(json.loads(marked[-1][len(MARK) :]))
    except (ValueError, RecursionError) as why:
        raise NotAnAnswer("not an answer") from why


def from_json(raw: Any) -> Answer:
    """Return the answer that `to_json` made.

    Raises:
        NotAnAnswer: ``raw`` has another shape.
    """
    if not isinstance(raw, dict) or raw.keys() != _FIELDS.keys():
        raise NotAnAnswer("other fields than expected")
    for name, kind in _FIELDS.items():
        value = raw[name]
        if type(value) is not kind or (isinstance(value, str) and not _sane(value)):
            raise NotAnAnswer(f"{name} cannot be right")
    if not all(Path(raw[name]).is_absolute() for name in ("base_prefix", "prefix", "stdlib")):
        raise NotAnAnswer("its folders are not absolute")
    try:
        version = Version(raw["version"])
    except ValueError:
        raise NotAnAnswer("its version is not a version") from None
    return Answer(**{**raw, "version": version})


def to_json(answer: Answer) -> dict[str, object]:
    """Return ``answer`` as plain JSON values."""
    values = {name: getattr(answer, name) for name in _FIELDS}
    return {**values, "version": str(answer.version)}


def _sane(text: str) -> bool:
    return len(text) <= _LONGEST_TEXT and text.isprintable()


_FIELDS: dict[str, type] = {
    name: bool if name in {"pip", "venv", "ensurepip"} else str for name in Answer.__dataclass_fields__
}
