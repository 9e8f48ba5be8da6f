"""What has been written stays written: names and files are on disk before anybody is told of them."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path


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
