"""Look at Quarto programs: one spawn each, what they say remembered while the file stays the same."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

from rostra.runtimes import footprint
from rostra.runtimes.memory import mark_of
from rostra.runtimes.r_model import QuartoInstallation
from rostra.runtimes.spawn import ask

_VERSION = re.compile(r"^([0-9]{1,4}(?:\.[0-9]{1,9}){1,3})\s*$", re.MULTILINE)
_LARGEST_FILE = 1_000_000
Found = QuartoInstallation | str  # what it is, or why it cannot be used


async def probe_quarto(
    paths: Sequence[Path], *, timeout: dt.timedelta, memory: Path | None
) -> tuple[tuple[Path, Found], ...]:
    """Return what is at each of ``paths``, in their order; ``memory`` is the file that keeps versions between calls."""
    known = await asyncio.to_thread(_recall, memory)
    async with asyncio.TaskGroup() as group:
        asked = {path: group.create_task(_look(path, timeout, known)) for path in paths}
    found = {path: task.result() for path, task in asked.items()}
    versions = {str(path): str(each.version) for path, each in found.items() if not isinstance(each, str)}
    if memory is not None and versions.keys() - known.keys():
        await asyncio.to_thread(_remember, memory, versions)
    return tuple((path, found[path]) for path in paths)


async def _look(path: Path, timeout: dt.timedelta, known: dict[str, str]) -> Found:
    said = known.get(str(path))
    if said is None:
        try:
            spoken = await ask(path, timeout, words=("--version",))
        except OSError as why:
            return f"cannot be started: {why.strerror or why}"
        answer = _VERSION.search(spoken.output.decode("utf-8", "replace"))
        if answer is None:
            return "is not Quarto: it does not say its version"
        said = answer[1]
    return QuartoInstallation(version=Version(said), executable=path, mounts=_mounts(path))


def _mounts(path: Path) -> tuple[Path, ...]:
    """Return the installation's folder (that of ``bin``) for every link on the way, unless the system shows it."""
    found: list[Path] = []
    for link in (*footprint.links(path), Path(os.path.realpath(path))):
        folder = link.parent.parent if link.parent.name == "bin" else link.parent
        shown = any(folder.is_relative_to(each) for each in footprint.SYSTEM_FOLDERS)
        if not shown and len(folder.parts) > 2:
            found.append(folder)
    return tuple(dict.fromkeys(found))


def _recall(memory: Path | None) -> dict[str, str]:
    """Return the versions that are still true; a damaged or foreign file is ignored."""
    try:
        if memory is None or memory.stat().st_size > _LARGEST_FILE:
            return {}
        raw: dict[str, Any] = json.loads(memory.read_bytes())
        still = {path: row["version"] for path, row in raw.items() if row["mark"] == mark_of(os.path.realpath(path))}
        return {path: str(Version(version)) for path, version in still.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _remember(memory: Path, versions: dict[str, str]) -> None:
    rows = {path: {"version": said, "mark": mark_of(os.path.realpath(path))} for path, said in versions.items()}
    scratch = memory.with_name(f".scratch-{memory.name}-{secrets.token_hex(4)}")
    try:
        scratch.write_text(json.dumps(rows), "utf-8")
        scratch.replace(memory)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink()
