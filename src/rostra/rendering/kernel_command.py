"""What a kernel is started with. Pure, and apart from `kernel`, whose libraries only the renderer's process needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rostra.execution.sandbox import LOADER_NAMES, LOADER_PREFIXES, SEARCH_PATH

CONNECTION_FILE = "kernel.json"


def command(python: Path, connection_dir: Path, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kernel's argv; nothing is looked up in any list of installed kernels.

    Variables among ``given`` that the loader obeys are set by it, in front of the interpreter: what wraps the command
    may still run as root, and they are the author's.
    """
    file = str(connection_dir / CONNECTION_FILE)
    late = tuple(f"{name}={value}" for name, value in given.items() if _is_loaders(name))
    start = ("/usr/bin/env", *late) if late else ()
    return (*start, str(python), "-m", "ipykernel_launcher", "-f", file, "--HistoryManager.hist_file=:memory:")


def environment(python: Path, connection_dir: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the other variables: ``given`` over a search path and a private home that goes with the render."""
    home = str(connection_dir / "home")
    return {
        "PATH": f"{python.parent}:{SEARCH_PATH}",
        "LANG": "C.UTF-8",
        "HOME": home,
        "USER": "rostra",
        "LOGNAME": "rostra",
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        **{name: value for name, value in given.items() if not _is_loaders(name)},
    }


def _is_loaders(name: str) -> bool:
    return name.startswith(LOADER_PREFIXES) or name in LOADER_NAMES
