"""Find the interpreters of this machine, for a server that was not told which to use. Starts nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rostra.runtimes.probe import is_shim

_NAME = re.compile(r"python3\.\d{1,2}")


def discover(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return paths that look like a Python 3, each real file once, in the order of the places searched.

    Searched are the folders of PATH, /usr/local/bin, /usr/bin, /opt/python, and what pyenv and uv installed. Virtual
    environments and shims are left out: they come and go, or start something else in every folder.
    """
    found: dict[str, Path] = {}
    for path in _candidates(environ):
        if path.is_absolute() and os.access(path, os.X_OK) and path.is_file() and not _unsteady(path):
            found.setdefault(os.path.realpath(path), path)
    return tuple(found.values())


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from _standing_alone(environ)
    for folder in (*environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"):
        if folder:
            yield from _in_folder(Path(folder))
    yield Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def _standing_alone(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ["HOME"]) if environ.get("HOME", "").startswith("/") else None
    roots = [Path("/opt/python")]
    if home is not None:
        data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
        roots += [Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"]
        roots += [Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")]
    for root in roots:
        yield from sorted(_glob(root, "*/bin/python3"))


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for path in _glob(folder, "python3.*") if _NAME.fullmatch(path.name))


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def _unsteady(path: Path) -> bool:
    return is_shim(path) or (path.parent.parent / "pyvenv.cfg").exists()
