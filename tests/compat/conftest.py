"""One real server for the whole tier, on several real Pythons, and the unmodified client."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import interpreters
from support.server import Server, running_server

ROOT = Path(__file__).parent.parent.parent
MINORS = ("3.9", "3.11", "3.13")


@pytest.fixture(scope="session")
def minors() -> list[str]:
    there = [minor for minor in MINORS if interpreters.minor(minor)]
    if not there:
        pytest.skip("no Python 3.9, 3.11 or 3.13 on this machine")
    return there


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, minors: list[str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rostra", numbered=True)
    paths = [path for minor in minors if (path := interpreters.minor(minor))]
    with running_server(folder, paths) as started:
        yield started


@dataclass(slots=True)
class Published:
    guid: str
    path: str
    output: str


@dataclass(slots=True)
class Publisher:
    """Publishes folders with the real client."""

    server: Server
    folder: Path

    def sample(self, name: str, minor: str | None = None, *more: str) -> Published:
        """Publish ``samples/{name}``, asking for the Python ``minor`` as an author would: in ``.python-version``."""
        told = json.loads((ROOT / "samples" / name / "sample.json").read_text())
        work = self.folder / f"{name}-{minor or 'any'}"
        shutil.copytree(ROOT / "samples" / name, work, dirs_exist_ok=True)
        if minor:
            (work / ".python-version").write_text(f"~={minor}.0\n")
        command, *rest = told["deploy"]
        return self.deploy(work, command, *rest, *more)

    def deploy(self, work: Path, command: str, *arguments: str, check: bool = True) -> Published:
        done = self.server.client("deploy", command, "-n", "rostra", *arguments, cwd=work, check=check)
        found = re.search(r"#/apps/([0-9a-f-]{36})", done.stdout + done.stderr)
        guid = found[1] if found else ""
        return Published(guid, f"/content/{guid}/", done.stdout + done.stderr)


@pytest.fixture
def publisher(server: Server, tmp_path: Path) -> Publisher:
    return Publisher(server, tmp_path)


def app(folder: Path, source: str, requirements: str = "flask\n") -> Path:
    """Write a small project and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(source)
    (folder / "requirements.txt").write_text(requirements)
    return folder
