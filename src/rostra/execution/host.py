"""Finds out what this host offers for keeping content apart, and says in sentences what is missing."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import subprocess
from pathlib import Path

from rostra.errors import Unavailable
from rostra.execution import cgroups
from rostra.execution.cgroups import Cgroups
from rostra.execution.sandbox import HostFacts

SYSTEM_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
OPEN_FILES = 8192
TMPFS_BYTES = 2 * 1024**3
TRIAL_SECONDS = 10


class SandboxMissing(Unavailable):
    """The configuration demands a sandbox and this host has none that works."""

    code = "sandbox-missing"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"Applications.Sandbox = required, but {why}.",
            hint="Install bubblewrap 0.5 or newer and allow it to make namespaces, or choose auto.",
        )


def probe(mode: str = "auto", groups: Cgroups | None = None) -> HostFacts:
    """Look at this host. ``mode`` is Applications.Sandbox: auto, required or off. Takes about 20 ms.

    Raises:
        SandboxMissing: required, and bubblewrap is missing or does not work.
    """
    facts = HostFacts(
        root=os.geteuid() == 0,
        uid=os.geteuid(),
        gid=os.getegid(),
        setpriv=_program("setpriv"),
        prlimit=_program("prlimit"),
        env=_program("env"),
        system=system_folders(),
        open_files=_open_files(),
        memory_groups=groups is not None and groups.limits_memory,
        process_groups=groups is not None and groups.limits_processes,
        cpu_groups=groups is not None and groups.limits_cpu,
    )
    if mode == "off":
        return dataclasses.replace(facts, bwrap_why="Applications.Sandbox is off")
    found = _bubblewrap(facts)
    if mode == "required" and found.bwrap is None:
        raise SandboxMissing(found.bwrap_why)
    return found


def unprotected(facts: HostFacts) -> tuple[str, ...]:
    """Return one sentence for each thing that content is not kept from here; empty when all is well."""
    said: list[str] = []
    if facts.bwrap is None:
        said.append(
            f"No sandbox, because {facts.bwrap_why}: content sees every file its account may read, other content's "
            "processes and files, and the host's temporary folder."
        )
        if not facts.root:
            said.append(
                "Content runs as the server's own account without a sandbox: it can read the server's secrets and "
                "change its data. Serve only content you would run yourself."
            )
        else:
            said.append("Content may change the shared environments it and other content run from.")
        if not cgroup_kills(facts):
            said.append("A process that content starts and detaches may outlive it.")
    if facts.root and facts.setpriv is None:
        said.append("The program setpriv is missing: no content can be started, because it would run as root.")
    if facts.prlimit is None:
        said.append("The program prlimit is missing: open files, processes and memory of content have no limit.")
    elif not facts.memory_groups:
        said.append(
            "No writable control group: a memory limit counts for each process of a piece of content, "
            "not for all of them together."
        )
    if not facts.cpu_groups:
        said.append("No writable control group for processors: a processor limit of content has no effect.")
    return tuple(said)


def cgroup_kills(facts: HostFacts) -> bool:
    """Say whether control groups can name every process of a launch, so that all of them can be ended."""
    return facts.memory_groups or facts.process_groups


def system_folders(root: Path = Path("/")) -> tuple[tuple[Path, str | None], ...]:
    """Return the operating system's folders below ``root`` with the target of those that are links."""
    found: list[tuple[Path, str | None]] = []
    for name in SYSTEM_FOLDERS:
        path = root / name
        if path.is_symlink():
            found.append((path, str(path.readlink())))
        elif path.is_dir():
            found.append((path, None))
    return tuple(found)


def sandboxes(run_folder: Path, proc: Path = Path("/proc")) -> list[int]:
    """Return the bubblewrap processes that show a folder in ``run_folder`` and run as this account."""
    found: list[int] = []
    for folder in proc.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            own = folder.stat().st_uid == os.geteuid()
        except OSError:
            continue
        inside = os.fsencode(run_folder) + b"/"
        if own and Path(os.fsdecode(words[0])).name == "bwrap" and any(word.startswith(inside) for word in words):
            found.append(int(folder.name))
    return found


def discover(mode: str = "auto") -> tuple[HostFacts, Cgroups | None]:
    """Return everything a launcher on this host needs: the facts and the control groups to use."""
    groups = cgroups.find()
    return probe(mode, groups), groups


def _bubblewrap(facts: HostFacts) -> HostFacts:
    bwrap = _program("bwrap")
    if bwrap is None:
        return dataclasses.replace(facts, bwrap_why="bubblewrap is not installed")
    why = ""
    for tmpfs_bytes in (TMPFS_BYTES, None):  # bubblewrap before 0.7 cannot bound a temporary folder
        candidate = dataclasses.replace(facts, bwrap=bwrap, tmpfs_bytes=tmpfs_bytes)
        why = _trial(candidate)
        if not why:
            return candidate
    return dataclasses.replace(facts, bwrap_why=f"bubblewrap does not work here ({why})")


def _trial(facts: HostFacts) -> str:
    size = ("--size", str(facts.tmpfs_bytes)) if facts.tmpfs_bytes else ()
    argv = [
        str(facts.bwrap),
        *(() if facts.root else ("--unshare-user",)),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"),
        *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", *size, "--tmpfs", "/tmp"),  # noqa: S108
        *("--", "/bin/true"),
    ]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False, stdin=subprocess.DEVNULL, env={}
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        return str(why)
    said = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else said[-1] if said else f"it ended with status {done.returncode}"


def _program(name: str) -> Path | None:
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return Path(found) if found else None


def _open_files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
