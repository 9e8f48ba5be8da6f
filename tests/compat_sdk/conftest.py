"""The newest posit-sdk, in an environment of its own, and one real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import interpreters
from support.server import Server, running_server

PACKAGE = "posit-sdk"


@dataclass(frozen=True, slots=True)
class Sdk:
    """Runs programs that use the SDK, as its users do: told by two variables where the server is."""

    python: Path
    server: Server
    folder: Path

    def run(self, program: str) -> str:
        """Return what the program printed; one that fails fails the test."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CONNECT_SERVER": self.server.url,
            "CONNECT_API_KEY": self.server.key,
        }
        done = subprocess.run(
            [self.python, "-c", program],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n--- server\n{self.server.log_text()[-3000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def sdk_python(pytestconfig: pytest.Config) -> Path:
    """The interpreter of an environment with the newest SDK, kept between runs beside pytest's own cache."""
    folder = pytestconfig.cache.mkdir("posit-sdk") / "venv"
    uv = Path(sys.executable).parent / "uv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--upgrade", "--python", python, PACKAGE], check=True)
    return python


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = interpreters.minor("3.11")
    if path is None:
        pytest.skip("no Python 3.11 on this machine")
    with running_server(tmp_path_factory.mktemp("sdk"), [path]) as running:
        yield running


@pytest.fixture(scope="session")
def sdk(sdk_python: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    return Sdk(sdk_python, server, tmp_path_factory.mktemp("sdk-home"))
