"""Look at Rs as at Pythons: one spawn each, all at once, what they say remembered while their files stay the same.

Promises an answer for every path within the timeout; nothing it starts outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostra.runtimes import footprint
from rostra.runtimes.interview import NotAnAnswer
from rostra.runtimes.memory import mark_of
from rostra.runtimes.model import Runtime
from rostra.runtimes.r_interview import LONGEST_ANSWER, QUESTION_ID, WORDS, RAnswer, from_json, read_output, to_json
from rostra.runtimes.r_model import RInstallation
from rostra.runtimes.spawn import Spoken, ask

_LARGEST_FILE = 20_000_000
_AT_ONCE = 4
# Packages of R that Debian ships ask dpkg for the version of the scripts they put into pages.
_DEBIANS_HOME, _DEBIANS_LIST = Path("/usr/lib/R"), (Path("/var/lib/dpkg/status"), Path("/var/lib/dpkg/updates"))
Marks = dict[str, list[int] | None]  # path: [mtime in ns, size, inode], None where nothing was


@dataclass(frozen=True, slots=True, kw_only=True)
class RProbe:
    """What was found at one path. ``answer`` is None when it did not speak; ``problem`` then says why."""

    executable: Path
    answer: RAnswer | None
    problem: str
    seconds: float
    remembered: bool = False

    def installation(self) -> RInstallation:
        """Return the R this is; only for one that spoke."""
        assert self.answer is not None
        answer, target = self.answer, Path(os.path.realpath(self.executable))
        parts = (answer.version, answer.platform, target, *(mark_of(str(target)) or ())[:2])
        return RInstallation(
            runtime=Runtime(
                version=answer.version,
                executable=self.executable,
                target=target,
                implementation="r",
                platform=answer.platform,
                prefixes=prefixes(self.executable, answer),
                identity=hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:32],
            ),
            home=Path(answer.home),
            libraries=tuple(map(Path, answer.libraries)),
            packages=answer.packages,
            pandoc=Path(answer.pandoc) if answer.pandoc else None,
        )


async def probe_r(paths: Sequence[Path], *, timeout: dt.timedelta, memory: Path | None) -> tuple[RProbe, ...]:
    """Return what is at each of ``paths``, in their order; ``memory`` is the file that keeps answers between calls."""
    known = await asyncio.to_thread(_recall, memory)
    room = asyncio.Semaphore(_AT_ONCE)

    async def look(path: Path) -> RProbe:
        kept = known.get(str(path))
        if kept is not None:
            return RProbe(executable=path, answer=kept, problem="", seconds=0.0, remembered=True)
        async with room:
            return await _look(path, timeout)

    async with asyncio.TaskGroup() as group:
        looking = {path: group.create_task(look(path)) for path in dict.fromkeys(paths)}
    found = {path: task.result() for path, task in looking.items()}
    fresh = {str(path): each.answer for path, each in found.items() if each.answer and not each.remembered}
    if memory is not None and fresh:
        await asyncio.to_thread(_remember, memory, {**known, **fresh})
    return tuple(found[path] for path in paths)


async def _look(path: Path, timeout: dt.timedelta) -> RProbe:
    started = time.monotonic()
    obstacle = _obstacle(path)
    if obstacle:
        return RProbe(executable=path, answer=None, problem=obstacle, seconds=0.0)
    answer, problem = None, ""
    try:
        spoken = await ask(path, timeout, words=WORDS, most=LONGEST_ANSWER)
        answer = read_output(spoken.output)
    except OSError as why:
        problem = f"cannot be started: {why.strerror or why}"
    except NotAnAnswer:
        problem = _why_silent(spoken, timeout)
    return RProbe(executable=path, answer=answer, problem=problem, seconds=time.monotonic() - started)


def _obstacle(path: Path) -> str:
    if not path.exists():
        return "is a broken symbolic link" if path.is_symlink() else "does not exist"
    if path.is_dir():
        return "is a folder; name the program in it, usually bin/R"
    return "" if os.access(path, os.X_OK) else "is not executable"


def _why_silent(spoken: Spoken, timeout: dt.timedelta) -> str:
    if spoken.code is None and not spoken.overflow:
        return f"hangs: no answer within {timeout.total_seconds():g} s"
    lines = [line for line in spoken.complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    said = "".join(mark if mark.isprintable() else "?" for mark in lines[-1].strip()[:160]) if lines else ""
    return f"is not R: it answers something else{f' ({said})' if said else ''}"


def prefixes(executable: Path, answer: RAnswer) -> tuple[Path, ...]:
    """Return what a sandbox has to show so that this R starts, without the operating system's own folders.

    Debian keeps what belongs into ``etc`` of R's home in ``/etc/R``: links from there are followed.
    """
    home = Path(answer.home)
    wanted = [home, *map(Path, answer.libraries), *(each.parent for each in footprint.links(executable))]
    with contextlib.suppress(OSError):
        wanted += [Path(os.path.realpath(each)).parent for each in (home / "etc").iterdir() if each.is_symlink()]
    wanted += [Path(os.path.realpath(path)) for path in wanted]
    shown = _outermost(path for path in wanted if not _is_shown(path) and path.is_dir())
    return (*shown, *(path for path in _DEBIANS_LIST if home == _DEBIANS_HOME and path.exists()))


def _is_shown(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in footprint.SYSTEM_FOLDERS) or len(path.parts) <= 2


def _outermost(paths: Iterator[Path]) -> list[Path]:
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda each: len(each.parts)):
        if not any(path.is_relative_to(folder) for folder in kept):
            kept.append(path)
    return sorted(kept)


def _marks(executable: str, answer: RAnswer) -> Marks:
    """Return what tells whether the program, its settings or its packages were changed."""
    home = Path(answer.home)
    sites = (home / "etc" / name for name in ("Renviron", "Renviron.site", "Rprofile.site"))
    places = [os.path.realpath(executable), *map(str, sites), *answer.libraries, answer.pandoc or "/usr/bin/pandoc"]
    places += [f"{folder}/{name}/DESCRIPTION" for folder in answer.libraries for name in answer.packages]
    found: Marks = {place: mark_of(place) for place in places}
    return {place: mark for place, mark in found.items() if mark or not place.endswith("/DESCRIPTION")}


def _recall(memory: Path | None) -> dict[str, RAnswer]:
    """Return the answers that are still true; a damaged or foreign file is ignored."""
    try:
        if memory is None or memory.stat().st_size > _LARGEST_FILE:
            return {}
        raw = json.loads(memory.read_bytes())
        if raw["question"] != QUESTION_ID:
            return {}
        return {path: from_json(each["answer"]) for path, each in raw["installations"].items() if _still(each)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _still(raw: Mapping[str, Any]) -> bool:
    marks = raw["marks"]
    return bool(marks) and all(mark_of(path) == mark for path, mark in marks.items())


def _remember(memory: Path, known: Mapping[str, RAnswer]) -> None:
    """Replace the file in one step. Failing to is no error: the next start asks again."""
    rows = {path: {"answer": to_json(each), "marks": _marks(path, each)} for path, each in known.items()}
    scratch = memory.with_name(f".scratch-{memory.name}-{secrets.token_hex(4)}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps({"question": QUESTION_ID, "installations": rows}), "utf-8")
        scratch.replace(memory)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink()
