"""Which parts of the host an interpreter needs to start: its links, its installation, its shared library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rostra.runtimes.interview import Answer

# A sandbox shows these anyway.
SYSTEM_FOLDERS = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")))
# Nobody wants these shown as a whole; what is in them is shown piece by piece.
_BROAD = frozenset(
    map(Path, ("/", "/home", "/mnt", "/media", "/opt", "/root", "/srv", "/tmp", "/var", "/var/lib"))  # noqa: S108
)
_MOST_LINKS = 40


def links(executable: Path) -> tuple[Path, ...]:
    """Return the paths from ``executable`` to the real file, each where the link before it points; at least one.

    The last is a file (or nothing): it is not resolved further, so folders on the way may still be links.
    """
    chain = [executable]
    while chain[-1].is_symlink() and len(chain) < _MOST_LINKS:
        chain.append(chain[-1].parent / chain[-1].readlink())
    return tuple(chain)


def prefixes(executable: Path, answer: Answer) -> tuple[Path, ...]:
    """Return what a sandbox has to show so that ``executable`` starts, without the operating system's own folders.

    Folders, except where a link or library lies in a folder that must not be shown as a whole (a home, ``/opt``): then
    that one file. No entry lies inside another; all exist. Paths are spelled as the interpreter uses them and, when a
    folder on the way is a link, resolved as well.
    """
    wanted = [_plain(path) for path in (*_of_installation(answer), *_of_links(executable, answer))]
    resolved = [Path(os.path.realpath(path.parent)) / path.name for path in wanted]
    needed = [path for path in (*wanted, *resolved) if not _inside(path, SYSTEM_FOLDERS) and os.path.lexists(path)]
    return tuple(_outermost(needed))


def _of_installation(answer: Answer) -> Iterator[Path]:
    for prefix in (answer.base_prefix, answer.base_exec_prefix, answer.prefix):
        if not _is_broad(Path(prefix)):
            yield Path(os.path.realpath(prefix))
            yield Path(prefix)
        else:
            yield from (Path(part) for part in (answer.stdlib, answer.platstdlib, answer.purelib))
    if answer.libdir:
        yield from _folder_or_file(Path(answer.libdir) / answer.library)


def _of_links(executable: Path, answer: Answer) -> Iterator[Path]:
    starts = [executable, *([Path(answer.executable)] if answer.executable else [])]
    for start in starts:
        for link in links(start):
            yield from _folder_or_file(link)


def _folder_or_file(path: Path) -> Iterator[Path]:
    yield path if _is_broad(path.parent) else path.parent


def _is_broad(folder: Path) -> bool:
    real = Path(os.path.realpath(folder))
    return real in _BROAD or real.parent == Path("/home") or Path.home().is_relative_to(real)


def _plain(path: Path) -> Path:
    """Without ``..``; a path that has one is spelled by its real folder, because ``..`` after a link goes elsewhere."""
    return Path(os.path.realpath(path.parent)) / path.name if ".." in path.parts else path


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    kept: list[Path] = []
    for path in sorted(paths, key=lambda each: len(each.parts)):
        if not _inside(path, kept):
            kept.append(path)
    return sorted(kept)
