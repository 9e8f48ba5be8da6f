"""Walks and removes folders that somebody else filled: however deep they are, and whatever may be done in them.

The standard library goes down one call for each level, so a thousand folders in one another stop it half-way.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(root: Path) -> Iterator[tuple[str, list[os.DirEntry[str]], list[os.DirEntry[str]]]]:
    """Yield (folder, its folders, its other entries), deepest last, without following links.

    What the caller takes out of a list of folders is not walked.
    """
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError:
            continue
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield folder, folders, [entry for entry in entries if not entry.is_dir(follow_symlinks=False)]
        waiting += [entry.path for entry in folders]


def remove_tree(path: Path) -> bool:
    """Remove a folder, also a read-only one; return whether nothing is left. Follows no link.

    Folders are lifted to the top before they are looked into, so no path becomes too long and few files are open.
    """
    with contextlib.suppress(OSError):
        _open_up(str(path))
        top = os.open(path, _FOLDER)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(path)  # noqa: PTH106
    return not os.path.lexists(path)


def _empty(top: int) -> None:
    lifted = (f".{secrets.token_hex(8)}-{number}" for number in itertools.count())
    waiting = _folders_left(top)
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            folder = os.open(name, _FOLDER, dir_fd=top)
            try:
                for inner, name_above in zip(_folders_left(folder), lifted, strict=False):
                    with contextlib.suppress(OSError):
                        os.rename(inner, name_above, src_dir_fd=folder, dst_dir_fd=top)
                        waiting.append(name_above)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)


def _folders_left(folder: int) -> list[str]:
    """Remove what is no folder, and return the names of the others."""
    with os.scandir(folder) as found:
        entries = list(found)
    folders = []
    for entry in entries:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                _open_up(entry.name, folder)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return folders


def _open_up(name: str, above: int | None = None) -> None:
    """Let this account do everything in a folder, if it is this account's."""
    place = os.open(name, os.O_PATH | _FOLDER, dir_fd=above)
    try:
        os.chmod(f"/proc/self/fd/{place}", 0o700)  # noqa: PTH101  # by its number: a name may have become a link
    except PermissionError:
        pass  # another account's, and perhaps open all the same
    finally:
        os.close(place)
