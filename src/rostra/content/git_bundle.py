"""Makes the archive of a bundle from what git wrote of a directory, as a publishing client would have sent it.

A manifest in a repository is written when the dependencies change, not with every edit of a file. Its checksums are
therefore what they were then; they are made anew from the files, everything else stays as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

from rostra.content import disk
from rostra.content.disk import Tick
from rostra.content.errors import BundleRefused
from rostra.content.git_location import Location
from rostra.content.layout import MANIFEST
from rostra.content.manifest import MAX_BYTES
from rostra.errors import Invalid

_PIECE = 1_048_576


class NoManifest(Invalid):
    code = "git-no-manifest"
    number = 38

    def __init__(self, place: Location) -> None:
        super().__init__(
            f"there is no {MANIFEST} in the directory {place.directory!r} of {place.branch}",
            hint="Write one (rsconnect write-manifest, or rsconnect::writeManifest() in R), commit and push it.",
        )


def source(place: Location, commit: str) -> dict[str, str]:
    """Return what a bundle made of a repository says of its source."""
    return {
        "source": "git",
        "source_repo": place.url,
        "source_branch": place.branch,
        "source_commit": commit,
        "source_directory": place.directory,
    }


async def pack(tar: Path, place: Location, *, most_files: int) -> Path:
    """Write the archive beside ``tar``, in a thread, and return its path.

    Raises:
        NoManifest
        BundleRefused: git wrote something that is no archive, or too many files.
    """
    return await disk.in_thread(lambda tick: _pack(tar, place, most_files, tick), long=True)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield a file's content, as an upload comes in."""
    with path.open("rb") as file:
        while piece := await disk.in_thread(lambda _: file.read(_PIECE)):
            yield piece


def _pack(tar: Path, place: Location, most_files: int, tick: Tick) -> Path:
    packed = tar.with_name("bundle.tar.gz")
    try:
        with _opened(tar) as raw:
            sums, told = _look(raw, most_files, tick)
            if told is None:
                raise NoManifest(place)
            raw.seek(0)
            with packed.open("xb") as out, gzip.GzipFile("", "wb", 6, out, mtime=0) as zipped:
                _copy(raw, zipped, _corrected(told, sums), tick)
    except tarfile.TarError as why:
        raise BundleRefused("git wrote no archive") from why
    return packed


def _opened(path: Path) -> IO[bytes]:
    """Open what another account wrote: a file, and not a link to one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleRefused("git wrote no archive")
    return os.fdopen(descriptor, "rb")


def _look(raw: IO[bytes], most_files: int, tick: Tick) -> tuple[dict[str, str], bytes | None]:
    """Return the MD5 of every file, and the manifest."""
    sums: dict[str, str] = {}
    told = None
    with tarfile.open(fileobj=raw, mode="r|") as archive:
        for count, member in enumerate(archive):
            tick()
            if count >= most_files:
                raise BundleRefused(f"it has more than {most_files} files and folders")
            body = archive.extractfile(member) if member.isreg() else None
            if body is None:
                continue
            if member.name == MANIFEST and member.size <= MAX_BYTES:
                told = body.read()
                continue
            digest = hashlib.md5(usedforsecurity=False)
            while piece := body.read(_PIECE):
                tick()
                digest.update(piece)
            sums[member.name] = digest.hexdigest()
    return sums, told


def _corrected(told: bytes, sums: dict[str, str]) -> bytes:
    """Return the manifest with the checksums of the files as they are; one that cannot be read is judged later."""
    try:
        manifest = json.loads(told)
    except (ValueError, RecursionError):
        return told
    files: Any = manifest.get("files") if isinstance(manifest, dict) else None
    changed = False
    for name, facts in files.items() if isinstance(files, dict) else ():
        found = sums.get(name)
        if found and isinstance(facts, dict) and facts.get("checksum") not in (None, "", found):
            facts["checksum"], changed = found, True
    return json.dumps(manifest, indent=2).encode() if changed else told


def _copy(raw: IO[bytes], out: gzip.GzipFile, manifest: bytes, tick: Tick) -> None:
    with tarfile.open(fileobj=raw, mode="r|") as given, tarfile.open(fileobj=out, mode="w:") as made:
        for member in given:
            tick()
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            body: IO[bytes] | None = given.extractfile(member) if member.isreg() else None
            if member.name == MANIFEST and body is not None:
                body, member.size = io.BytesIO(manifest), len(manifest)
            made.addfile(member, body)
