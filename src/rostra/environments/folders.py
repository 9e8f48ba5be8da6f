"""Folders as the store needs them: scratch places, read-only trees, removal, and writing that survives a crash.

What was built from foreign code is hostile: nothing here follows a symbolic link inside an environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from rostra.durable import sync_everything_under, sync_folder
from rostra.errors import Unavailable
from rostra.ids import new_key
from rostra.trees import remove_tree, walk

SCRATCH = ".scratch-"


@contextlib.asynccontextmanager
async def scratch(beside: Path) -> AsyncIterator[Path]:
    """Make a folder ``.scratch-...`` in ``beside`` for the length of the block; what is left of it is removed."""
    beside.mkdir(parents=True, exist_ok=True)
    place = beside / f"{SCRATCH}{new_key(12)}"
    place.mkdir(mode=0o755)
    try:
        yield place
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(remove_tree, place)


def leftovers(beside: Path) -> list[Path]:
    """Return the scratch places in ``beside``, sorted."""
    return sorted(beside.glob(f"{SCRATCH}*")) if beside.is_dir() else []


def seal(root: Path, *, shared: bool) -> int:
    """Make everything below ``root`` the server's, readable by all and writable by nobody; return its size in bytes.

    Files that are hard-linked elsewhere count like any other; while they are ``shared`` with an installer's cache they
    stay whose they are, or it could not link them again. ``root`` itself stays writable: it is to be renamed.
    """
    size = 0
    for folder, _, entries in walk(root):
        own(folder, os.lstat(folder))
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            if not (shared and found.st_nlink > 1):
                own(entry.path, found)
            if stat.S_ISREG(found.st_mode):
                size += found.st_size
                wanted = 0o555 if found.st_mode & 0o111 else 0o444
                if stat.S_IMODE(found.st_mode) != wanted:
                    os.chmod(entry.path, wanted)  # noqa: PTH101
        os.chmod(folder, 0o755 if folder == str(root) else 0o555)  # noqa: PTH101
    return size


def own(path: str, found: os.stat_result) -> None:
    """Take over what an installer wrote under another account, so that this account cannot change it any more."""
    if os.geteuid() == 0 and found.st_uid != 0:
        os.chown(path, 0, 0, follow_symlinks=False)


def give(root: Path, *, like: Path) -> None:
    """Hand a tree to whom ``like`` belongs, when this server may: installers run under an account of their own."""
    owner = like.lstat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for folder, _, entries in walk(root):
        for path in (folder, *(entry.path for entry in entries)):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def write_new(path: Path, text: str) -> None:
    """Write a file that is certain to be new and on disk; a link left in its place is replaced, not followed."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_plain(path: Path, limit: int = 50_000_000) -> str:
    """Return the text of a regular file, never through a link, at most ``limit`` bytes. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read(limit).decode("utf-8", "replace")


def publish(place: Path, final: Path) -> bool:
    """Make ``place`` durable and rename it to ``final``. False: ``final`` was there already and was left alone."""
    sync_everything_under(place)
    try:
        os.rename(place, final)  # noqa: PTH104  # fails when final is a folder with something in it
    except OSError as why:
        if final.is_dir():
            return False
        if why.errno == errno.EXDEV:
            raise Unavailable(
                f"{place} and {final} are on different file systems.",
                hint="Keep cache/, bytecode/ and environments/ of the data folder on one.",
            ) from why
        raise
    final.chmod(0o555)
    sync_folder(final.parent)
    return True
