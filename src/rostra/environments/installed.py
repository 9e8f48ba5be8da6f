"""What an environment really holds, read from the records installers leave. Nothing of it is run or imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rostra.environments.folders import read_plain
from rostra.environments.spec import Package

SEEDS = frozenset(("pip", "setuptools", "wheel"))  # what `python -m venv` may put in by itself


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution. ``address`` is where it came from if not from an index; ``local`` says: from the bundle."""

    package: Package
    address: str = ""
    local: bool = False


def site_packages(env: Path) -> Path:
    """Return the folder packages are installed to. Raises ``FileNotFoundError`` when this is no environment."""
    found = sorted((env / "lib").glob("*/site-packages"))
    if not found:
        raise FileNotFoundError(f"{env} has no site-packages")
    for folder in (env, env / "bin", env / "lib", found[0].parent, found[0]):
        if folder.is_symlink():  # code that ran while a package was built may want the server to write elsewhere
            raise FileNotFoundError(f"{folder} is a link")
    return found[0]


def read(folder: Path) -> list[Installed]:
    """Return what is installed in a site-packages folder, sorted by name; broken records are left out."""
    found = {one.package.name: one for one in _each(folder)}
    return [found[name] for name in sorted(found)]


def _each(folder: Path) -> Iterator[Installed]:
    for record in sorted(folder.glob("*.dist-info")):
        if record.is_symlink():
            continue
        try:
            headers = HeaderParser().parsestr(read_plain(record / "METADATA", 1_000_000))
            version = Version(str(headers["Version"]))
            package = Package(canonicalize_name(str(headers["Name"]), validate=True), str(version))
        except (OSError, InvalidVersion, ValueError):
            continue
        yield _with_origin(package, record)


def _with_origin(package: Package, record: Path) -> Installed:
    try:
        told = json.loads(read_plain(record / "direct_url.json", 100_000))
        url, vcs = str(told["url"]), told.get("vcs_info")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Installed(package)
    if url.startswith("file:"):
        return Installed(package, url, local=True)
    if isinstance(vcs, dict):
        url = f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}"
    if isinstance(below := told.get("subdirectory"), str):
        url += f"#subdirectory={below}"
    return Installed(package, url)
