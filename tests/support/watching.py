"""Looks at a running server from the outside: its processes, and what comes true after a while."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from support.server import Server

T = TypeVar("T")


def within(seconds: float) -> float:
    """Return the seconds to allow for what takes ``seconds`` on a machine with nothing else to do."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(good: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until ``good``; return how many seconds it took."""
    begun = time.monotonic()
    while not good():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun


def paths_below(folder: Path) -> Iterator[Path]:
    """Yield everything under ``folder``; unlike ``rglob`` it goes on when a folder disappears meanwhile."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place, name)


def contents_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file under ``folder`` with what is in it, those left out that disappear meanwhile."""
    for path in paths_below(folder):
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):
                yield path, path.read_bytes()


def quickly(server: Server, path: str, **headers: str) -> int:
    """Return the status of one request, 0 when there was no answer."""
    try:
        return server.get(path, **headers).status
    except OSError:
        return 0


def replaced(server: Server, name: str, old: int) -> Callable[[], bool]:
    return lambda: server.children().get(name, old) != old


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def below(pid: int) -> list[int]:
    """Return the pids of everything that descends from a process, nearest first; zombies are not among them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, parents = [], [pid]
    while parents:
        parents = [child for parent in parents for child in children.get(parent, ())]
        found += parents
    return found


def content_processes(server: Server) -> list[int]:
    """Return the pids of everything that runs below the keeper."""
    keeper = server.children().get("keeper")
    return below(keeper) if keeper else []


def processes_of(server: Server, guid: str) -> list[int]:
    """Return the sandboxes of one item; to end one is to end everything in it."""
    found = []
    for pid in content_processes(server):
        with contextlib.suppress(OSError):
            if guid.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and _state(pid) not in ("Z", "")]


def mentioning(folder: Path) -> dict[int, str]:
    """Return every process of this machine whose command line, or working folder, names ``folder``, but not our own."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in words and _state(int(entry.name)) != "Z":
                found[int(entry.name)] = words[:300]
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""
