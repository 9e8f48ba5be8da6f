"""The checks an administrator can run: can the server write, is there room, do its interpreters still start."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import sqlalchemy as sa
from typing_extensions import TypedDict

from rostra.api.services import Services
from rostra.db.engine import transaction
from rostra.runtimes.model import Runtime, RuntimeState
from rostra.units import human_size

LEAST_FREE = 1_000_000_000  # bytes
START_SECONDS = 20.0


class CheckGroup(TypedDict):
    name: str


class CheckResult(TypedDict):
    """``error`` is null when it passed."""

    group: CheckGroup
    test: str
    passed: bool
    output: str
    error: str | None


async def run(live: Services) -> list[CheckResult]:
    """Return every check with what it found, in a fixed order."""
    settings, folder = live.settings(), live.places.data_dir
    found = [await _database(live)]
    found.append(await _tried("storage", "data-folder", lambda: _writable(folder)))
    found.append(await _tried("storage", "free-space", lambda: _room(folder)))
    found.append(await _tried("execution", "sandbox", lambda: _sandbox(settings.applications.sandbox)))
    for runtime in live.runtimes():
        if runtime.state is not RuntimeState.retired:
            found.append(await _tried("python", f"python-{runtime.version}", _starter(runtime)))
    return found


def _result(group: str, test: str, output: str, error: str | None) -> CheckResult:
    return {"group": {"name": group}, "test": test, "passed": error is None, "output": output, "error": error}


async def _tried(group: str, test: str, check: Callable[[], str]) -> CheckResult:
    """Return what ``check`` says; an OSError it raises is a failure."""
    try:
        return _result(group, test, await anyio.to_thread.run_sync(check), None)
    except (OSError, subprocess.SubprocessError) as why:
        return _result(group, test, "", str(why))


async def _database(live: Services) -> CheckResult:
    try:
        async with transaction(live.sessions) as session:
            await session.execute(sa.text("SELECT 1"))
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as why:
        return _result("database", "writable", "", str(why.orig))
    return _result("database", "writable", "A writing transaction was begun and committed.", None)


def _writable(folder: Path) -> str:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".scratch-check-") as file:
        file.write(b"rostra")
        file.flush()
    return f"{folder} can be written."


def _room(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    said = f"{human_size(usage.free)} of {human_size(usage.total)} are free."
    if usage.free < LEAST_FREE:
        raise OSError(f"{said} Less than {human_size(LEAST_FREE)} is too little to install packages.")
    return said


def _sandbox(mode: str) -> str:
    if mode == "off":
        return "Content runs without a sandbox, as it is configured."
    program = shutil.which("bwrap")
    if program is None:
        raise OSError("bubblewrap is not installed, so content cannot be kept apart.")
    return f"Content is kept apart by {program}."


def _starter(runtime: Runtime) -> Callable[[], str]:
    def start() -> str:
        asked = (str(runtime.executable), "-I", "-c", "import sys; print(sys.version)")
        done = subprocess.run(asked, capture_output=True, text=True, timeout=START_SECONDS, check=True)
        return done.stdout.strip()

    return start
