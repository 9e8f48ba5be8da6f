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
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement

from rostra.environments import closed, lock
from rostra.environments.closed import Pin
from rostra.environments.distributions import BASE, Base, Part, parts_of
from rostra.environments.folders import SCRATCH, leftovers, read_plain
from rostra.environments.index import IndexSettings
from rostra.environments.requirements import Requirements
from rostra.environments.spec import Environment
from rostra.ids import new_key
from rostra.runtimes.model import Runtime
from rostra.trees import remove_tree

LINK_FROM = 200  # files in a package's folder from which on the folder is linked as a whole
UNUSED_SECONDS = 60 * 24 * 3600.0
_ABOUT, _TREE = "about.json", "tree"


class Unfit(Exception):  # no error anybody sees: the installer does it
    """The short cut does not lead there."""


class Unpacked:
    """The packages of one data folder."""

    def __init__(self, folder: Path, *, link_from: int = LINK_FROM) -> None:
        self.folder = folder
        self._link_from = link_from

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

    def assemble(self, runtime: Runtime, index: IndexSettings, parts: Sequence[Part], env: Path) -> tuple[Path, ...]:
        """Put ``parts`` together in ``env``, which must not be there yet; read-only but for its own folder.

        Returns the folders that links in it lead to.

        Raises:
            Unfit: a file is gone, or two packages have one of the same name.
        """
        shelf = self.shelf(runtime, index)
        try:
            os.mkdir(env, 0o755)  # noqa: PTH102
            links = _links(parts)
            left = [_without(part, links[part.name]) if part.name in links else part for part in parts]
            folders = sorted({folder for part in left for folder in part.folders})
            for folder in folders:
                os.mkdir(f"{env}/{folder}", 0o755)  # noqa: PTH102
            for part in left:
                tree = f"{shelf}/{_folder_of(part)}/{_TREE}"
                for name in part.files:
                    os.link(f"{tree}/{name}", f"{env}/{name}", follow_symlinks=False)
                for name in links.get(part.name, ()):
                    Path(f"{env}/{name}").symlink_to(f"{tree}/{name}")
                os.utime(f"{shelf}/{_folder_of(part)}/{_ABOUT}")
            for folder in folders:
                os.chmod(f"{env}/{folder}", 0o555)  # noqa: PTH101, S103
        except OSError as why:
            raise Unfit from why
        return tuple(shelf / _folder_of(part) / _TREE for part in parts if links.get(part.name))

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
            parts = parts_of(root, environment, hashes, base, self._link_from)
        except (OSError, InvalidRequirement, ValueError, csv.Error):
            return 0
        new = [part for part in parts if not (shelf / _folder_of(part) / _ABOUT).is_file()]
        for part in new:
            _store(shelf, part, root)
        return len(new)

    def reconcile(self, kept: Collection[Path] = (), *, now: float | None = None) -> list[str]:
        """Remove what a crash left and what no environment was made from for long; a sentence for each.

        ``kept`` are folders that links of environments lead to.
        """
        done: list[str] = []
        oldest = (time.time() if now is None else now) - UNUSED_SECONDS
        for shelf in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            for left in leftovers(shelf):
                remove_tree(left)
            for about in sorted(shelf.glob(f"*/{_ABOUT}")):
                if about.stat().st_mtime < oldest and about.parent / _TREE not in kept:
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
            linkable=tuple(told["linkable"]),
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
        for folder in reversed(("", *part.folders)):
            (tree / folder).chmod(0o555)
        (place / _ABOUT).write_text(json.dumps(asdict(part)), encoding="utf-8")
        place.rename(shelf / _folder_of(part))
    except OSError:  # another was quicker, or a file has all the links it may have
        remove_tree(place)


def _links(parts: Sequence[Part]) -> dict[str, tuple[str, ...]]:
    """Return the folders to link, by the name of their package: those that are of one package alone."""
    shared = Counter(folder for part in parts for folder in part.folders)
    found = {part.name: tuple(top for top in part.linkable if shared[top] == 1) for part in parts}
    return {name: tops for name, tops in found.items() if tops}


def _without(part: Part, tops: Sequence[str]) -> Part:
    inside = tuple(f"{top}/" for top in tops)
    return replace(
        part,
        folders=tuple(folder for folder in part.folders if folder not in tops and not folder.startswith(inside)),
        files=tuple(name for name in part.files if not name.startswith(inside)),
    )
