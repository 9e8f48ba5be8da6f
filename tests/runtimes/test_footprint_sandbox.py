"""The footprint is right when an interpreter starts in a sandbox that shows nothing else."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from rostra.runtimes.probe import probe

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox, pytest.mark.interpreters]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc")


def confined(shown: tuple[Path, ...]) -> list[str]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        pytest.skip("bubblewrap is not installed")
    system = [word for folder in _SYSTEM for word in ("--ro-bind-try", folder, folder)]
    return [
        bwrap,
        *system,
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        *[w for p in shown for w in ("--ro-bind", str(p), str(p))],
    ]


@pytest.mark.parametrize("way", ["directly", "by a link", "by a folder that is a link"])
async def test_it_starts_with_only_its_prefixes(pythons: dict[str, Path], tmp_path: Path, way: str) -> None:
    paths = [_reached(python, tmp_path / version, way) for version, python in pythons.items()]
    for found in await probe(paths, timeout=dt.timedelta(seconds=20), memory=None):
        code = "import ssl, venv, ensurepip, pip, sqlite3, sys; print(sys.version_info[:3])"
        started = subprocess.run(
            [*confined(found.prefixes), found.executable, "-I", "-c", code], capture_output=True, text=True, check=False
        )
        assert found.version is not None
        assert started.returncode == 0, f"{found.executable} {found.prefixes}\n{started.stderr}"
        assert started.stdout.strip() == str(found.version.release)


def _reached(python: Path, place: Path, way: str) -> Path:
    place.mkdir()
    if way == "by a link":
        (place / "python").symlink_to(python)
        return place / "python"
    if way == "by a folder that is a link":
        (place / "current").symlink_to(python.parent.parent)
        return place / "current" / "bin" / python.name
    return python
