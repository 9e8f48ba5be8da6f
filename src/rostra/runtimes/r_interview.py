"""What an R is asked about itself, and the strict reading of whatever comes back. Pure: starts nothing.

As with interpreters of Python the answer is hostile until read: what is not exactly what the question produces is no R.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from rostra.runtimes.interview import NotAnAnswer

QUESTION = Path(__file__).with_name("r_question.R")
QUESTION_ID = hashlib.sha256(QUESTION.read_bytes()).hexdigest()[:16]
# Site files count, as they do for content; a person's own do not.
WORDS = ("--no-save", "--no-restore", "--no-init-file", "--no-echo", f"--file={QUESTION}")
LONGEST_ANSWER = 2_000_000
_MARK = "rostra-r\t"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,199}")
_VERSION = re.compile(r"[0-9]{1,9}([.-][0-9]{1,9}){0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RAnswer:
    """``packages`` maps each installed package to its version; of a package in two libraries the first counts.

    ``libraries`` are the folders packages are loaded from, in that order. ``pandoc`` is empty when there is none.
    """

    version: Version
    home: str
    platform: str
    pandoc: str
    libraries: tuple[str, ...]
    packages: Mapping[str, str]


def read_output(output: bytes) -> RAnswer:
    """Return what an R said.

    Raises:
        NotAnAnswer: this is not how R answers the question.
    """
    facts: dict[str, str] = {}
    libraries: list[str] = []
    packages: dict[str, str] = {}
    for name, *values in _lines(output):
        if name == "library" and len(values) == 1:
            libraries.append(values[0])
        elif name == "package" and len(values) == 2:
            packages.setdefault(*values)
        elif len(values) <= 1:
            facts[name] = "".join(values)
    if "end" not in facts:
        raise NotAnAnswer("it did not finish")
    return from_json({**facts, "libraries": libraries, "packages": packages})


def _lines(output: bytes) -> Iterator[list[str]]:
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith(_MARK):
            yield [part.strip() for part in line.removeprefix(_MARK).split("\t")]


def from_json(raw: Mapping[str, Any]) -> RAnswer:
    """Return the answer that `to_json` kept.

    Raises:
        NotAnAnswer: a field is missing or not what it should be.
    """
    try:
        libraries, packages = tuple(map(_path, raw["libraries"])), dict(raw["packages"])
        if not all(_NAME.fullmatch(name) and _VERSION.fullmatch(version) for name, version in packages.items()):
            raise NotAnAnswer("a package has no proper name or version")
        return RAnswer(
            version=Version(raw["version"]),
            home=_path(raw["home"]),
            platform=str(raw["platform"])[:100],
            pandoc=_path(raw["pandoc"]) if raw["pandoc"] else "",
            libraries=libraries,
            packages=packages,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise NotAnAnswer(f"it lacks something: {why!r}") from why


def to_json(answer: RAnswer) -> dict[str, Any]:
    return {
        "version": str(answer.version),
        "home": answer.home,
        "platform": answer.platform,
        "pandoc": answer.pandoc,
        "libraries": list(answer.libraries),
        "packages": dict(answer.packages),
    }


def _path(text: Any) -> str:
    if not isinstance(text, str) or not text.startswith("/") or "\0" in text or len(text) > 4096:
        raise NotAnAnswer(f"{text!r} is not an absolute path")
    return text
