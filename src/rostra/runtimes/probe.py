"""Look at interpreters: one spawn each, all at once, what they say remembered by the identity of their files.

Promises an answer for every path, whatever stands there, within the timeout; nothing it starts outlives it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import re
import signal
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from rostra.runtimes import footprint
from rostra.runtimes.interview import Answer, NotAnAnswer, read_output
from rostra.runtimes.memory import Remembered, mark_of, marks_for, recall, remember
from rostra.runtimes.model import Runtime, RuntimeState
from rostra.runtimes.spawn import Spoken, ask

_AT_ONCE = 16
_SHIM = re.compile(rb"""pyenv["']?\s+exec\s""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was found at one path.

    ``links`` is the chain from ``executable`` to the real file, both included.
    ``answer`` is None when it did not speak.
    ``problem`` is empty when it can be used, else one sentence saying why not.
    """

    executable: Path
    links: tuple[Path, ...]
    target: Path
    answer: Answer | None
    problem: str
    seconds: float
    remembered: bool = False
    prefixes: tuple[Path, ...] = ()
    identity: str = ""

    @property
    def usable(self) -> bool:
        return not self.problem

    @property
    def version(self) -> Version | None:
        return self.answer.version if self.answer else None

    @property
    def implementation(self) -> str:
        return self.answer.implementation if self.answer else ""

    def runtime(self, state: RuntimeState = RuntimeState.active) -> Runtime:
        """Return the runtime this is; only for a usable one."""
        assert self.answer is not None
        return Runtime(
            version=self.answer.version,
            executable=self.executable,
            target=self.target,
            implementation=self.answer.implementation,
            cache_tag=self.answer.cache_tag,
            platform=self.answer.platform,
            prefixes=self.prefixes,
            identity=self.identity,
            state=state,
        )


async def probe(paths: Sequence[Path], *, timeout: dt.timedelta, memory: Path | None) -> tuple[Probe, ...]:
    """Return what is at each of ``paths``, in their order.

    ``timeout`` is for each interpreter. ``memory`` is the file that keeps answers between calls; None keeps nothing.
    """
    known = recall(memory)
    room = asyncio.Semaphore(_AT_ONCE)
    fresh: dict[Path, Remembered] = {}

    async def look(path: Path) -> Probe:
        kept = known.get(str(path))
        if kept is not None and kept.still_true(footprint.links(path), _target(path)):
            return _recalled(path, kept)
        async with room:
            found = await _look(path, timeout)
        if found.answer is not None and found.usable:
            marks = marks_for(found.target, found.answer)
            fresh[path] = Remembered(found.answer, found.links, found.prefixes, marks)
        return found

    async with asyncio.TaskGroup() as group:
        looking = {path: group.create_task(look(path)) for path in dict.fromkeys(paths)}
    if memory is not None and fresh:
        remember(memory, {**known, **{str(path): each for path, each in fresh.items()}})
    return tuple(looking[path].result() for path in paths)


async def _look(path: Path, timeout: dt.timedelta) -> Probe:
    started = time.monotonic()
    obstacle = _obstacle(path)
    if obstacle:
        return _silent(path, obstacle, 0.0)
    try:
        spoken = await ask(path, timeout)
    except OSError as why:
        return _silent(path, f"cannot be started: {why.strerror or why}", time.monotonic() - started)
    seconds = time.monotonic() - started
    try:
        answer = read_output(spoken.output)
    except NotAnAnswer:
        return _silent(path, _why_silent(spoken, timeout), seconds)
    return _spoken(path, answer, seconds)


def _obstacle(path: Path) -> str:
    """Return why ``path`` cannot even be started, or nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "is a broken symbolic link" if path.is_symlink() else "does not exist"
    except (OSError, ValueError) as why:
        return f"cannot be looked at: {getattr(why, 'strerror', None) or why}"
    return _not_a_program(path, mode)


def _not_a_program(path: Path, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a folder; name the interpreter in it, usually bin/python3"
    if not stat.S_ISREG(mode):
        return "is not a file"
    if not os.access(path, os.X_OK):
        return "is not executable"
    if is_shim(path):
        return "is a pyenv shim, which starts another interpreter in every folder; name the one under versions/ instead"
    return ""


def _why_silent(spoken: Spoken, timeout: dt.timedelta) -> str:
    if spoken.overflow:
        return "is not Python: it writes more than an interpreter would answer"
    if spoken.code is None:
        return f"hangs: no answer within {timeout.total_seconds():g} s"
    said = _last_line(spoken.complaint)
    if spoken.code < 0:
        return f"crashed with {_signal_name(-spoken.code)}{said}"
    if spoken.code > 0:
        return f"does not start as Python: exit status {spoken.code}{said}"
    return "is not Python: it answers something else"


def is_shim(path: Path) -> bool:
    """Return whether ``path`` is a script of pyenv; which interpreter it starts depends on where it is called."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return head.startswith(b"#!") and _SHIM.search(head) is not None


def _last_line(complaint: bytes) -> str:
    """Return the last thing it said, safe to print, for the end of a sentence."""
    lines = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    text = "".join(char if char.isprintable() else "?" for char in lines[-1].strip())
    return f" ({text[:160]})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _silent(path: Path, problem: str, seconds: float) -> Probe:
    chain = footprint.links(path)
    return Probe(executable=path, links=chain, target=_target(path), answer=None, problem=problem, seconds=seconds)


def _recalled(path: Path, kept: Remembered) -> Probe:
    target = _target(path)
    return Probe(
        executable=path,
        links=kept.links,
        target=target,
        answer=kept.answer,
        problem=_missing(kept.answer),
        seconds=0.0,
        remembered=True,
        prefixes=kept.prefixes,
        identity=_identity(target, kept.answer),
    )


def _spoken(path: Path, answer: Answer, seconds: float) -> Probe:
    target = _target(path)
    return Probe(
        executable=path,
        links=footprint.links(path),
        target=target,
        answer=answer,
        problem=_missing(answer),
        seconds=seconds,
        prefixes=footprint.prefixes(path, answer),
        identity=_identity(target, answer),
    )


def _missing(answer: Answer) -> str:
    """Return what an interpreter that runs lacks so that content can use it, or nothing."""
    if not answer.venv:
        return "has no venv module, which makes environments"
    if not answer.pip:
        return "has no pip"
    if not answer.ensurepip:
        return "has no ensurepip, without which venv cannot make environments (Debian: install python3-venv)"
    return ""


def _identity(target: Path, answer: Answer) -> str:
    parts = (answer.version, answer.implementation, answer.platform, target, *(mark_of(str(target)) or ())[:2])
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))
