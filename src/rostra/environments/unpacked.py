"""Packages kept unpacked and compiled, from which an environment is put together without an installer.

Only where requirements leave nothing open (`closed`) and the same interpreter has had every package from the same
index. Whatever is not so, or goes wrong here, is the installer's: this is a short cut, never the only way.

On disk, below ``unpacked/{interpreter and index}/``: a folder ``{name}-{version}`` for each package, and ``base``, the
empty environment. Each holds ``tree``, its files under the paths they have in an environment, and ``about.json``. The
files are hard links to those of the environment they were first installed in: read-only, and never a second copy.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import posixpath
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from rostra.environments import closed, installed, lock, record
from rostra.environments.bytecode import told_digest
from rostra.environments.closed import Pin
from rostra.environments.folders import SCRATCH, leftovers, read_plain, remove_tree
from rostra.environments.index import IndexSettings
from rostra.environments.requirements import Requirements, markers_of
from rostra.environments.spec import Environment, Package
from rostra.ids import new_key
from rostra.runtimes.model import Runtime

BASE = "base"
UNUSED_SECONDS = 60 * 24 * 3600.0
Base = Mapping[str, int]  # the files of an empty environment, and the inode of each
_OURS = frozenset({record.FILE, ".lock"})  # written beside packages: by us, and by uv while it installs
_ABOUT, _TREE = "about.json", "tree"


class Unfit(Exception):  # no error anybody sees: the installer does it
    """The short cut does not lead there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One package as it lies in an environment. Paths are relative to the environment; parents come first."""

    name: str
    version: str = ""
    hashes: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    size: int = 0


class Unpacked:
    """The packages of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shelf(self, runtime: Runtime, index: IndexSettings) -> Path:
        """Return the folder of what this very interpreter got from this index."""
        told = json.dumps([runtime.identity, runtime.platform, runtime.cache_tag, index.normal], sort_keys=True)
        return self.folder / hashlib.sha256(told.encode()).hexdigest()[:24]

    # Putting together

    def choose(self, runtime: Runtime, index: IndexSettings, wanted: Requirements) -> tuple[Part, ...]:
        """Return the parts ``wanted`` consists of, the empty environment first.

        Raises:
            Unfit: something is open, unknown, or of a hash the author does not allow.
        """
        pins = closed.pins(wanted)
        if pins is None:
            raise Unfit
        shelf = self.shelf(runtime, index)
        parts = {name: _read(shelf / f"{name}-{pin.version}") for name, pin in pins.items()}
        if not all(_allowed(pin, parts[name]) for name, pin in pins.items()):
            raise Unfit
        if not closed.is_closed(pins, lambda name: parts[name].needs):
            raise Unfit
        return (_read(shelf / BASE), *(parts[name] for name in sorted(parts)))

    def assemble(self, runtime: Runtime, index: IndexSettings, parts: Sequence[Part], env: Path) -> None:
        """Put ``parts`` together in ``env``, which must not be there yet; read-only but for its own folder.

        Raises:
            Unfit: a file is gone, or two packages have one of the same name.
        """
        shelf = self.shelf(runtime, index)
        try:
            os.mkdir(env, 0o755)  # noqa: PTH102
            folders = sorted({folder for part in parts for folder in part.folders})
            for folder in folders:
                os.mkdir(f"{env}/{folder}", 0o755)  # noqa: PTH102
            for part in parts:
                tree = f"{shelf}/{_folder_of(part)}/{_TREE}"
                for name in part.files:
                    os.link(f"{tree}/{name}", f"{env}/{name}", follow_symlinks=False)
                os.utime(f"{shelf}/{_folder_of(part)}/{_ABOUT}")
            for folder in folders:
                os.chmod(f"{env}/{folder}", 0o555)  # noqa: PTH101, S103
        except OSError as why:
            raise Unfit from why

    # Keeping

    def keep(self, environment: Environment, index: IndexSettings, base: Base) -> int:
        """Keep the packages of an environment that was installed from wheels alone; return how many were new.

        ``base`` is what was there before the first package. Nothing is kept of an environment where a package touched
        what was there before, or where a file belongs to nobody or to two: what a package says of itself must not
        change what others get.
        """
        root = environment.root
        if root is None:
            return 0
        hashes = lock.hashes_in(environment.lock)
        shelf = self.shelf(environment.runtime, index)
        try:
            parts = _parts(root, environment, hashes, base)
        except (OSError, InvalidRequirement, ValueError, csv.Error):
            return 0
        new = [part for part in parts if not (shelf / _folder_of(part) / _ABOUT).is_file()]
        for part in new:
            _store(shelf, part, root)
        return len(new)

    def reconcile(self, *, now: float | None = None) -> list[str]:
        """Remove what a crash left and what no environment was made from for long; a sentence for each."""
        done: list[str] = []
        oldest = (time.time() if now is None else now) - UNUSED_SECONDS
        for shelf in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            for left in leftovers(shelf):
                remove_tree(left)
            for about in sorted(shelf.glob(f"*/{_ABOUT}")):
                if about.stat().st_mtime < oldest:
                    gone = shelf / f"{SCRATCH}{new_key(12)}"
                    about.parent.rename(gone)
                    remove_tree(gone)
                    done.append(f"Removed the unpacked package {about.parent.name}, unused for long.")
            with contextlib.suppress(OSError):
                shelf.rmdir()
        return done


def _folder_of(part: Part) -> str:
    return f"{part.name}-{part.version}" if part.version else part.name


def _allowed(pin: Pin, part: Part) -> bool:
    # Known are the hashes of every file of a version, not which of them was taken: all must be allowed.
    return not pin.hashes or (bool(part.hashes) and pin.hashes.issuperset(part.hashes))


def _read(folder: Path) -> Part:
    try:
        told = json.loads(read_plain(folder / _ABOUT))
        return Part(
            name=str(told["name"]),
            version=str(told["version"]),
            hashes=tuple(told["hashes"]),
            needs={extra: tuple(texts) for extra, texts in told["needs"].items()},
            folders=tuple(told["folders"]),
            files=tuple(told["files"]),
            size=int(told["size"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as why:
        raise Unfit from why


def _store(shelf: Path, part: Part, root: Path) -> None:
    """Link the files of ``part``; it is there under its name when it is whole."""
    place = shelf / f"{SCRATCH}{new_key(12)}"
    tree = place / _TREE
    tree.mkdir(parents=True)
    try:
        for folder in part.folders:
            (tree / folder).mkdir()
        for name in part.files:
            os.link(f"{root}/{name}", f"{tree}/{name}", follow_symlinks=False)
        (place / _ABOUT).write_text(json.dumps(asdict(part)), encoding="utf-8")
        place.rename(shelf / _folder_of(part))
    except OSError:  # another was quicker, or a file has all the links it may have
        remove_tree(place)


def inventory(env: Path) -> Base:
    """Return every file of an environment as it is now."""
    return {name: found.st_ino for name, found in _walk(env)}


def _parts(root: Path, environment: Environment, hashes: Mapping[str, tuple[str, ...]], base: Base) -> list[Part]:
    """Return what an environment consists of. Raises: ValueError when something in it belongs to nobody or to two."""
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
        for name, digest in recorded.items():
            _check(root, name, digest)
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


def _check(root: Path, name: str, digest: str) -> None:
    """Look whether a file is what its package recorded. Raises: ValueError.

    A wheel may bring files it does not record, even one in the place of another package's.
    """
    if digest:
        with open(root / name, "rb", opener=_unfollowed) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise ValueError(f"{name} is not what was recorded")


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
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118
        for name in (*names, *links):
            path = os.path.join(folder, name)  # noqa: PTH118
            yield os.path.relpath(path, root), os.lstat(path)
