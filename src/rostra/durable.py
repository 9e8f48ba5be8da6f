"""What has been written stays written: names and files are on disk before anybody is told of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from pathlib import Path

UNFINISHED = ".restoring"
"""The folder in a data folder that is there while a backup is restored: until it has gone, nothing may be served."""


def sync_folder(folder: Path) -> None:
    """Put the folder's names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_everything_under(folder: Path) -> None:
    """Put all files of the folder's file system on disk: one call instead of one for each of thousands of files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "the file system could not be written", str(folder))
    finally:
        os.close(descriptor)


def rewrite(path: Path, text: str) -> None:
    """Give a file another text: whoever reads it, also after a crash, finds all of the old one or all of the new one.

    A link stays one, and the file keeps its mode and, as far as this account may, its owner. Only where nothing can
    take its place (it is a mount of its own, or its folder is closed) is it written over.
    """
    real = path.resolve()
    scratch = real.with_name(f".{real.name}.new")
    try:
        scratch.unlink(missing_ok=True)
        _write_beside(scratch, text, like=real.stat())
        scratch.rename(real)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        real.write_text(text, encoding="utf-8")
    sync_folder(real.parent)


def _write_beside(scratch: Path, text: str, *, like: os.stat_result) -> None:
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def publish(finished: Path, output: Path) -> None:
    """Put a folder of few files on disk, and only then give it its name; a crash leaves all of it or nothing."""
    kept = (place for place in finished.rglob("*") if place.is_file() or place.is_dir())
    for path in (finished, *kept):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finished.rename(output)
    sync_folder(output.parent)
