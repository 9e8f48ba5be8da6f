"""What an environment consists of, package by package, checked against what each package recorded of itself.

Wheels are hostile: they may bring files they do not record, records in another's name, or files in another's place. Any
doubt about one file is an error. Reads, changes nothing.
"""

from __future__ import annotations

import csv
import hashlib
import os
import posixpath
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name

from rostra.environments import closed, installed, record
from rostra.environments.bytecode import told_digest
from rostra.environments.folders import read_plain
from rostra.environments.requirements import markers_of
from rostra.environments.spec import Environment, Package
from rostra.trees import walk

BASE = "base"
# Words of a line that looks for where its file really is, and the steps up it takes from there.
_FOLLOWING = (b"realpath", b"resolve", b"readlink")
_STEPS_UP = re.compile(rb"\bparent\b|dirname|\.\.|\bpardir\b|parents\[(\d+)\]")
_TESTS = re.compile(r"/tests?/")
_OURS = frozenset({record.FILE, ".lock"})  # written beside packages: by us, and by uv while it installs

Base = Mapping[str, int]  # the files of an empty environment, and the inode of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One package as it lies in an environment. Paths are relative to the environment; parents come first."""

    name: str
    version: str = ""
    hashes: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    linkable: tuple[str, ...] = ()  # folders that may be linked as a whole, where nobody else has a part of them
    size: int = 0


def inventory(env: Path) -> Base:
    """Return every file of an environment as it is now."""
    return {name: found.st_ino for name, found in _walk(env)}


def parts_of(
    root: Path, environment: Environment, hashes: Mapping[str, tuple[str, ...]], base: Base, link_from: int
) -> list[Part]:
    """Return what an environment consists of, the empty one first; not what came from a bundle or an address.

    ``base`` is what was there before the first package, ``link_from`` how many files make a folder `linkable`.

    Raises:
        ValueError: a file belongs to nobody or to two, is not what was recorded, or was there before.
        OSError, InvalidRequirement, csv.Error: something cannot be read.
    """
    packages = installed.site_packages(root)
    inside = str(packages.relative_to(root))
    found = {name: entry for name, entry in _walk(root) if name not in _OURS}
    there = {name: entry.st_size if stat.S_ISREG(entry.st_mode) else 0 for name, entry in found.items()}
    if any(name not in found or found[name].st_ino != inode for name, inode in base.items()):
        raise ValueError("a package replaced a part of the empty environment")
    claimed = set(base)
    parts = []
    for package, folder in _distributions(packages, environment.packages):
        recorded = {name: digest for name, digest in _recorded(folder, inside) if name in there}
        if claimed.intersection(recorded):
            raise ValueError(f"{package.name} has a file of another package")
        follows = {_top(name, inside) for name, digest in recorded.items() if _follows(root, name, digest)}
        compiled = (_compiled(name, environment.runtime.cache_tag) for name in recorded)
        files = [*recorded, *(name for name in compiled if name in there and name not in recorded)]
        claimed.update(files)
        if (folder / "direct_url.json").exists():  # from the bundle or an address, not from the index
            continue
        headers = HeaderParser().parsestr(read_plain(folder / "METADATA", 1_000_000))
        requires, extras = headers.get_all("Requires-Dist", []), headers.get_all("Provides-Extra", [])
        parts.append(
            Part(
                name=package.name,
                version=package.version,
                hashes=hashes.get(package.name, ()),
                needs=closed.needs(requires, extras, markers_of(environment.runtime)),
                folders=_parents(files),
                files=tuple(files),
                linkable=_linkable(files, inside, follows, link_from),
                size=sum(there[name] for name in files),
            )
        )
    if left := set(there) - claimed:
        raise ValueError(f"{sorted(left)[:3]} belong to no package")
    files = sorted(base)
    empty = Part(
        name=BASE, folders=_parents(files, inside), files=tuple(files), size=sum(there[name] for name in files)
    )
    return [empty, *parts]


def _distributions(packages: Path, wanted: Iterable[Package]) -> Iterator[tuple[Package, Path]]:
    """Yield each package with its ``.dist-info``. Raises: ValueError when one has none, or two."""
    folders: dict[str, list[Path]] = {}
    for folder in packages.glob("*.dist-info"):
        folders.setdefault(canonicalize_name(folder.name.partition("-")[0]), []).append(folder)
    for package in wanted:
        [folder] = folders.get(package.name, [])
        yield package, folder


def _recorded(folder: Path, inside: str) -> Iterator[tuple[str, str]]:
    """Yield the paths a package records with their digests; the record itself has none. They may lie below the root.

    Raises:
        ValueError: a file without a digest.
    """
    for row in csv.reader(read_plain(folder / "RECORD").splitlines()):
        path = posixpath.normpath(f"{inside}/{row[0]}") if row and not row[0].startswith("/") else ".."
        if path.startswith(".."):
            continue
        digest = told_digest(row[1] if len(row) > 1 else "")
        if not digest and path != f"{inside}/{folder.name}/RECORD":
            raise ValueError(f"{path} is recorded without a digest")
        yield path, digest


def _follows(root: Path, name: str, digest: str) -> bool:
    """Say whether a file `leaves`.

    Raises:
        ValueError: it is not what its package recorded. A wheel may bring files it does not record, even one in the
            place of another package's.
    """
    if not digest:
        return False
    with open(root / name, "rb", opener=_unfollowed) as file:
        if not name.endswith(".py"):
            found, follows = hashlib.file_digest(file, "sha256").hexdigest(), False
        else:
            text = file.read()
            found, follows = hashlib.sha256(text).hexdigest(), leaves(name, text)
    if found != digest:
        raise ValueError(f"{name} is not what was recorded")
    return follows


def leaves(name: str, text: bytes) -> bool:
    """Say whether a source file looks for something outside its package's folder from where it really is.

    Behind a link to the folder it would find other neighbours there. Tests are left out: content does not run them.
    """
    depth = name.partition("/site-packages/")[2].count("/")
    if b"__file__" not in text or _TESTS.search(name):
        return False
    lines = (line for line in text.splitlines() if b"__file__" in line and any(word in line for word in _FOLLOWING))
    return any(sum(int(step[1] or 0) + 1 for step in _STEPS_UP.finditer(line)) > depth for line in lines)


def _top(name: str, inside: str) -> str:
    """Return the folder directly below site-packages a file lies in, empty when it lies in none."""
    first, slash, _ = name.removeprefix(f"{inside}/").partition("/")
    return f"{inside}/{first}" if slash and name.startswith(f"{inside}/") else ""


def _linkable(files: Iterable[str], inside: str, follows: Collection[str], link_from: int) -> tuple[str, ...]:
    counts = Counter(_top(name, inside) for name in files)
    return tuple(
        top for top, count in counts.items()
        if top and count >= link_from and top not in follows and not top.endswith((".dist-info", ".libs", ".data"))
    )  # fmt: skip


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _compiled(name: str, tag: str) -> str:
    home, base = posixpath.split(name)
    return f"{home}/__pycache__/{base.removesuffix('.py')}.{tag}.pyc" if base.endswith(".py") else ""


def _parents(files: Iterable[str], *more: str) -> tuple[str, ...]:
    found: set[str] = set()
    for path in (*files, *(f"{folder}/x" for folder in more)):
        while (path := posixpath.dirname(path)) and path not in found:
            found.add(path)
    return tuple(sorted(found))


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each file; links are files."""
    for _, _, entries in walk(root):
        for entry in entries:
            yield os.path.relpath(entry.path, root), os.lstat(entry.path)
