"""Publishing with the unmodified client, as an author does: from a folder, with a command."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.server import Server

ROOT = Path(__file__).parent.parent.parent
# Those that need a server with R are published by tests of their own.
SAMPLES = sorted(
    path.parent.name for path in (ROOT / "samples").glob("*/sample.json") if "needs" not in json.loads(path.read_text())
)


@dataclass(frozen=True, slots=True)
class Published:
    """What came of one run of the client. ``guid`` is empty when nothing was made."""

    guid: str
    path: str
    output: str
    code: int = 0


@dataclass(slots=True)
class Publisher:
    """Publishes folders. ``folder`` is where samples are copied to."""

    server: Server
    folder: Path

    def sample(self, name: str, minor: str | None = None) -> Published:
        """Publish ``samples/{name}`` once for each server, asking for ``minor`` as an author would, in a file."""
        if (name, minor) not in self.server.samples:
            work = self.copy(name, minor)
            self.server.samples[name, minor] = self.deploy(work, *told(name)["deploy"])
        found = self.server.samples[name, minor]
        assert isinstance(found, Published)
        return found

    def copy(self, name: str, minor: str | None = None) -> Path:
        """Copy a sample to a folder of its own and return that."""
        work = self.folder / f"{name}-{minor or 'any'}"
        shutil.copytree(ROOT / "samples" / name, work, dirs_exist_ok=True)
        if minor:
            (work / ".python-version").write_text(f"~={minor}.0\n")
        return work

    def deploy(self, work: Path, command: str, *arguments: str | Path, check: bool = True) -> Published:
        """Run ``rsconnect deploy`` in ``work``."""
        done = self.server.client("deploy", command, "-n", "rostra", *arguments, cwd=work, check=check)
        output = done.stdout + done.stderr
        found = re.search(r"#/apps/([0-9a-f-]{36})", output)
        guid = found[1] if found else ""
        return Published(guid, f"/content/{guid}/", output, done.returncode)

    def item(self, guid: str) -> dict[str, Any]:
        """Return the item as the API shows it."""
        return self.server.ask(f"/__api__/v1/content/{guid}")

    def bundles(self, guid: str) -> list[dict[str, Any]]:
        """Return the item's bundles, newest first."""
        found: list[dict[str, Any]] = self.server.ask(f"/__api__/v1/content/{guid}/bundles")
        return found


def told(name: str) -> dict[str, Any]:
    """Return what a sample says of itself."""
    found: dict[str, Any] = json.loads((ROOT / "samples" / name / "sample.json").read_text())
    return found


def app(folder: Path, source: str, requirements: str = "flask\n") -> Path:
    """Write a small project and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(source)
    (folder / "requirements.txt").write_text(requirements)
    return folder
