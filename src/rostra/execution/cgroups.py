"""Control groups, version 1 or 2: one for each launch, so that its whole tree is counted: memory, processes, processor.

Used when this process may write them; the launcher falls back to limits per process when not, and says so.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROCESSES = 1024  # most processes and threads of one launch
KILL_SECONDS = 5.0
CPU_PERIOD = 100_000  # microseconds, the kernel's own default
LEAST_CPU_QUOTA = 1_000  # microseconds; the kernel takes no less
MUCH = {1: ("cpu.shares", "4096"), 2: ("cpu.weight", "400")}  # four times what a group has by itself


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one launch: one folder in version 2, one for each hierarchy in version 1."""

    folders: tuple[Path, ...]

    def join(self) -> None:
        """Move the calling process in. Called between fork and exec, so it does as little as it can."""
        for folder in self.folders:
            descriptor = os.open(folder / "cgroup.procs", os.O_WRONLY)
            os.write(descriptor, b"0")
            os.close(descriptor)

    def members(self) -> set[int]:
        found: set[int] = set()
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        found.discard(0)  # a process of another namespace; as an argument of kill it would mean ourselves
        return found

    def kill(self) -> None:
        """End every process in it, also those that left their session. Returns when none is left."""
        deadline = time.monotonic() + KILL_SECONDS
        while (members := self.members()) and time.monotonic() < deadline:
            for pid in members:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, 9)
            time.sleep(0.002)

    def remove(self) -> None:
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Where groups can be made. ``memory``, ``pids`` and ``cpu`` are None when that controller cannot be used."""

    version: int
    memory: Path | None
    pids: Path | None
    cpu: Path | None = None

    @property
    def limits_cpu(self) -> bool:
        return self.cpu is not None

    @property
    def limits_memory(self) -> bool:
        return self.memory is not None

    @property
    def limits_processes(self) -> bool:
        return self.pids is not None

    def make(self, key: str, memory_bytes: int | None, cpus: float | None = None) -> Group:
        """Make the group for one launch. Raises OSError when the host refuses; nothing is left then."""
        made = Group(tuple(sorted({base / key for base in (self.memory, self.pids, self.cpu) if base})))
        try:
            for folder in made.folders:
                folder.mkdir(parents=True, exist_ok=True)
            self._limit(key, memory_bytes)
            self._limit_cpu(key, cpus)
        except OSError:
            made.remove()
            raise
        return made

    def come_first(self) -> None:
        """Let everything made here together get most of the processors when other groups want them too.

        How nice a process is counts only within its group.
        """
        if self.cpu:
            name, much = MUCH[self.version]
            _write_if_there(self.cpu / name, much)

    def close(self) -> None:
        """Remove the folders that held the groups, when they are empty."""
        for base in (self.memory, self.pids, self.cpu):
            if base:
                with contextlib.suppress(OSError):
                    base.rmdir()

    def _limit(self, key: str, memory_bytes: int | None) -> None:
        if self.pids:
            (self.pids / key / "pids.max").write_text(str(PROCESSES))
        if not self.memory or memory_bytes is None:
            return
        folder = self.memory / key
        if self.version == 2:
            (folder / "memory.max").write_text(str(memory_bytes))
            _write_if_there(folder / "memory.swap.max", "0")
        else:
            (folder / "memory.limit_in_bytes").write_text(str(memory_bytes))
            _write_if_there(folder / "memory.memsw.limit_in_bytes", str(memory_bytes))

    def _limit_cpu(self, key: str, cpus: float | None) -> None:
        if not self.cpu or cpus is None:
            return
        quota = max(LEAST_CPU_QUOTA, round(cpus * CPU_PERIOD))
        if self.version == 2:
            (self.cpu / key / "cpu.max").write_text(f"{quota} {CPU_PERIOD}")
        else:
            (self.cpu / key / "cpu.cfs_period_us").write_text(str(CPU_PERIOD))
            (self.cpu / key / "cpu.cfs_quota_us").write_text(str(quota))


def find(root: Path = ROOT, own: str | None = None, pid: int | None = None) -> Cgroups | None:
    """Return where this process may make groups, or None. ``own`` is the text of /proc/self/cgroup."""
    try:
        lines = (Path("/proc/self/cgroup").read_text() if own is None else own).splitlines()
    except OSError:
        return None
    places = dict(_place(line) for line in lines if line.count(":") >= 2)
    name = f"rostra.{os.getpid() if pid is None else pid}"
    if (root / "cgroup.controllers").exists():
        return _second(root / places.get("", "/").lstrip("/"), name)
    return _first(root, places, name)


def _place(line: str) -> tuple[str, str]:
    _, controllers, path = line.split(":", 2)
    return controllers, path


def _first(root: Path, places: dict[str, str], name: str) -> Cgroups | None:
    found: dict[str, Path] = {}
    for controllers, path in places.items():
        for controller in {"memory", "pids", "cpu"} & set(controllers.split(",")):
            base = root / controllers / path.lstrip("/")
            if _can_make(base / name):
                found[controller] = base / name
    return Cgroups(1, found.get("memory"), found.get("pids"), found.get("cpu")) if found else None


def _second(own: Path, name: str) -> Cgroups | None:
    # A group that holds processes cannot hand controllers to groups below it. Under systemd's Delegate with a
    # sub-group for the server itself, the group above is ours and empty.
    for base in (own, own.parent):
        if base != own and not _delegated(base):
            continue
        folder = base / name
        if _enable(base) and _can_make(folder) and _enable(folder):
            return Cgroups(2, folder, folder, folder if _enable_cpu(base) and _enable_cpu(folder) else None)
    return None


def _enable(folder: Path) -> bool:
    """Hand memory and pids to the groups below ``folder``; False when that is not possible."""
    control = folder / "cgroup.subtree_control"
    try:
        if not {"memory", "pids"} <= set(control.read_text().split()):
            control.write_text("+memory +pids")
    except OSError:
        return False
    return True


def _enable_cpu(folder: Path) -> bool:
    """The same for the processor, which not every host delegates."""
    control = folder / "cgroup.subtree_control"
    try:
        if "cpu" not in control.read_text().split():
            control.write_text("+cpu")
        return "cpu" in (folder / "cgroup.controllers").read_text().split()
    except OSError:
        return False


def _delegated(folder: Path) -> bool:
    for attribute in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(folder, attribute) == b"1":
                return True
    return False


def _can_make(folder: Path) -> bool:
    _remove_stale(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return True


def _remove_stale(parent: Path) -> None:
    """Remove the groups of a launcher that was killed, and end what it left in them."""
    for old in parent.glob("rostra.*"):
        if not Path("/proc", old.name.rpartition(".")[2]).exists():
            left = Group(tuple(old.glob("*/")))
            left.kill()
            left.remove()
            Group((old,)).remove()


def _write_if_there(path: Path, text: str) -> None:
    if path.exists():
        with contextlib.suppress(OSError):
            path.write_text(text)
