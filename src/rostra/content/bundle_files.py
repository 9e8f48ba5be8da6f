"""Reads single files of a stored bundle, from its archive: what was uploaded, whatever became of it since."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from rostra.content.disk import in_thread
from rostra.content.errors import BundleFileMissing
from rostra.errors import TooLarge

LARGEST = 50_000_000  # bytes of one file that are shown


class BundleFileTooLarge(TooLarge):
    code = "bundle-file-too-large"

    def __init__(self, size: int) -> None:
        super().__init__(f"the file has {size} bytes, too many to show alone", hint="Download the whole bundle.")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``path`` is as the archive names it; ``size`` in bytes."""

    path: str
    size: int


async def listing(archive: Path) -> list[StoredFile]:
    """Return the files of an archive, by path.

    Raises:
        BundleFileMissing: the archive is gone.
    """
    return await in_thread(lambda _tick: _list(archive))


async def read(archive: Path, path: str) -> bytes:
    """Return one file.

    Raises:
        BundleFileMissing: the archive is gone, or has no such file.
        BundleFileTooLarge
    """
    return await in_thread(lambda _tick: _read(archive, path))


def _open(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, "r:gz")
    except FileNotFoundError as why:
        raise BundleFileMissing(archive.name) from why


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _list(archive: Path) -> list[StoredFile]:
    with _open(archive) as tar:
        return sorted(
            (StoredFile(_plain(member.name), member.size) for member in tar if member.isfile()),
            key=lambda file: file.path,
        )


def _read(archive: Path, path: str) -> bytes:
    with _open(archive) as tar:
        for member in tar:
            if member.isfile() and _plain(member.name) == path:
                if member.size > LARGEST:
                    raise BundleFileTooLarge(member.size)
                file = tar.extractfile(member)
                assert file is not None, "it is a file"
                return file.read()
    raise BundleFileMissing(path[:200])
