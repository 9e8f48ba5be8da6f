"""posit-sdk as its users have it: in an environment of its own, told by two variables where the server is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.server import Server

PACKAGE = "posit-sdk"
NEWEST = "newest"
RELEASES = (NEWEST, "0.12.0")  # the second was the newest one in November 2025


@dataclass(frozen=True, slots=True)
class Sdk:
    """Runs programs that use the SDK, as its users do: told by two variables where the server is."""

    python: Path
    server: Server
    folder: Path
    release: str = NEWEST

    def run(self, program: str, **variables: str) -> str:
        """Return what the program printed; one that fails fails the test."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CONNECT_SERVER": self.server.url,
            "CONNECT_API_KEY": self.server.key,
            **variables,
        }
        done = subprocess.run(
            [self.python, "-c", program],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n--- server\n{self.server.log_text()[-3000:]}"
        return done.stdout


def installed(config: pytest.Config, release: str) -> Path:
    """Return the interpreter of an environment with one release, kept between runs beside pytest's own cache."""
    folder = config.cache.mkdir("posit-sdk") / release
    uv = Path(sys.executable).parent / "uv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    wanted = ("--upgrade", PACKAGE) if release == NEWEST else (f"{PACKAGE}=={release}",)
    subprocess.run([uv, "pip", "install", "-q", "--link-mode", "copy", "--python", python, *wanted], check=True)
    return python
