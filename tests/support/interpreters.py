"""Finds the real Python interpreters of this machine, so that tests can run content on several.

``ROSTRA_TEST_PYTHONS`` (paths separated by ``:``) overrides the search.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path


@functools.cache
def installed() -> dict[str, Path]:
    """Return {"3.9.18": path, ...}, one path for each version, oldest first. Includes versions below the minimum."""
    found: dict[str, Path] = {}
    for path in _candidates():
        asked = subprocess.run(
            [path, "-I", "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if asked.returncode == 0:
            found.setdefault(asked.stdout.strip(), path)
    return dict(sorted(found.items(), key=lambda pair: [int(part) for part in pair[0].split(".")]))


def minor(wanted: str) -> Path | None:
    """Return an interpreter of MAJOR.MINOR ``wanted``, the newest patch, or None."""
    fitting = [path for version, path in installed().items() if version.startswith(wanted + ".")]
    return fitting[-1] if fitting else None


def _candidates() -> list[Path]:
    named = os.environ.get("ROSTRA_TEST_PYTHONS")
    if named:
        return [Path(part) for part in named.split(":") if part]
    places = [*Path.home().glob(".pyenv/versions/*/bin/python3"), *Path("/opt/python").glob("*/bin/python3")]
    on_path = (shutil.which(f"python3.{n}", path="/usr/local/bin:/usr/bin") for n in range(8, 20))
    return [*sorted(places), *(Path(found) for found in on_path if found)]
