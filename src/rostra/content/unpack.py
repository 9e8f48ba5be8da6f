"""Looks into an uploaded archive, and unpacks it: the place where a stranger's files meet our disk.

`inspect` judges everything without writing anything; `unpack` judges again and then writes. Nothing is ever written
outside the one scratch folder, which becomes the final one by a rename: it is there completely or not at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rostra.content import manifest as manifests
from rostra.content.disk import (
    Tick,
    in_thread,
    make_folders,
    remove,
    scratch_beside,
)
from rostra.content.errors import BundleFileMissing, BundleNotWritten, InvalidManifest
from rostra.content.gzipped import Bounds, Gunzip
from rostra.content.layout import MANIFEST, Layout, Node
from rostra.content.manifest import Manifest
from rostra.content.tarball import Member, Sort, Tarball
from rostra.durable import sync_everything_under, sync_folder

DEFAULT = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in an archive. ``root`` is the folder inside it that becomes the bundle's own, ``""`` for the top."""

    manifest: Manifest
    root: str
    layout: Layout


async def inspect(archive: Path, bounds: Bounds = DEFAULT) -> Contents:
    """Read the whole archive, in a thread, and return what is in it. Nothing is written.

    Raises:
        BundleRefused: it is damaged, dangerous or beyond the bounds.
        InvalidManifest: its manifest is missing or bad.
        ChecksumMismatch: a file is not the one its manifest lists.
    """
    return await in_thread(lambda tick: _inspect(archive, bounds, tick), long=True)


async def unpack(archive: Path, into: Path, bounds: Bounds = DEFAULT) -> None:
    """Unpack into the folder ``into``, in a thread; does nothing when it is there already.

    Files become 0444, or 0555 when their owner could execute them, folders 0555; owners and times are not kept.

    Raises:
        BundleRefused, InvalidManifest, ChecksumMismatch: as `inspect`; nothing is left behind.
        BundleNotWritten: the disk is full, or fails.
        BundleFileMissing: there is no such archive.
    """
    await in_thread(lambda tick: _unpack(archive, into, bounds, tick), long=True)


def _inspect(archive: Path, bounds: Bounds, tick: Tick) -> Contents:
    layout = Layout(bounds)
    found: tuple[str, bytes] = ("", b"")
    with _members(archive, bounds, tick) as tarball:
        for member in tarball:
            keep = _may_be_the_manifest(member, found[0])
            content, md5 = _digest(tarball, member, keep)
            layout.add(member, md5)
            found = (member.path, content) if keep else found
    root = layout.root()
    manifest = manifests.read(found[1])
    layout.check_links(root)
    layout.check_sums(root, manifest)
    return Contents(manifest=manifest, root=root, layout=layout)


@contextmanager
def _members(archive: Path, bounds: Bounds, tick: Tick) -> Iterator[Tarball]:
    try:
        file = archive.open("rb")
    except FileNotFoundError as why:
        raise BundleFileMissing(archive.name) from why
    with file:
        yield Tarball(Gunzip(file, bounds, tick), bounds)


def _may_be_the_manifest(member: Member, found: str) -> bool:
    """The one that counts is the one nearest the top: with two equally near, neither folder would be the only one."""
    if member.sort is not Sort.file or member.path.rpartition("/")[2] != MANIFEST:
        return False
    if found and member.path.count("/") >= found.count("/"):
        return False
    if member.size > manifests.MAX_BYTES:
        raise InvalidManifest("", f"is too large: at most {manifests.MAX_BYTES} bytes")
    return True


def _digest(tarball: Tarball, member: Member, keep: bool) -> tuple[bytes, str]:
    if member.sort is not Sort.file:
        return b"", ""
    digest, kept = hashlib.md5(usedforsecurity=False), []
    for piece in tarball.body():
        digest.update(piece)
        if keep:
            kept.append(piece)
    return b"".join(kept), digest.hexdigest()


def _unpack(archive: Path, into: Path, bounds: Bounds, tick: Tick) -> None:
    if into.is_dir():
        return
    contents = _inspect(archive, bounds, tick)
    scratch = scratch_beside(into)
    try:
        make_folders(into.parent)
        scratch.mkdir(mode=0o755)
        _write(archive, contents, scratch, bounds, tick)
        _finish(contents, scratch, into)
    except OSError as why:
        raise BundleNotWritten(why.strerror or str(why)) from why
    finally:
        remove(scratch)


def _write(archive: Path, contents: Contents, scratch: Path, bounds: Bounds, tick: Tick) -> None:
    """Write folders, then files, and links last: while anything is written there is no link it could go through."""
    inside = _inside(contents)
    for path, node in inside.items():
        if node.sort is Sort.folder:  # a folder is listed before what is in it
            (scratch / path).mkdir(mode=0o755)
    with _members(archive, bounds, tick) as tarball:
        waiting = {path for path, node in inside.items() if node.sort is Sort.file}
        for member in tarball:
            path = _below(member.path, contents.root)
            if member.sort is Sort.file and path in waiting:
                waiting.remove(path)
                _write_file(tarball, scratch / path, executable=member.executable)
    for path, node in inside.items():
        tick()
        if node.sort is Sort.hardlink:
            os.link(scratch / _below(node.target, contents.root), scratch / path, follow_symlinks=False)
        elif node.sort is Sort.symlink:
            (scratch / path).symlink_to(node.target)


def _write_file(tarball: Tarball, path: Path, *, executable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123
        for piece in tarball.body():
            file.write(piece)
        os.fchmod(file.fileno(), 0o555 if executable else 0o444)


def _finish(contents: Contents, scratch: Path, into: Path) -> None:
    for path, node in _inside(contents).items():
        if node.sort is Sort.folder:
            (scratch / path).chmod(0o555)
    scratch.chmod(0o555)
    sync_everything_under(scratch)
    try:
        scratch.rename(into)
    except OSError:
        if not into.is_dir():  # else somebody else unpacked the same archive meanwhile
            raise
    sync_folder(into.parent)


def _inside(contents: Contents) -> dict[str, Node]:
    """Return everything below the bundle's own folder, by path from there; folders before what is in them."""
    below = ((_below(path, contents.root), node) for path, node in contents.layout.nodes.items())
    return {path: node for path, node in below if path}


def _below(path: str, root: str) -> str:
    if not root:
        return path
    return path.removeprefix(f"{root}/") if path.startswith(f"{root}/") else ""
