"""Bundles: receiving them, keeping them, letting go of them. A bundle never changes once it has been accepted.

The archive reaches its final name before its row is committed, so a crash leaves at most a file without a row, which
`reconcile` removes. In the other direction the row goes first. Nobody here commits.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.clock import Clock
from rostra.config.sections import Applications
from rostra.content import disk
from rostra.content.errors import (
    BundleIsLive,
    BundleNotFound,
    BundleNotWritten,
    BundleRefused,
    BundleTooLarge,
    ChecksumMismatch,
    InvalidSource,
)
from rostra.content.gzipped import Bounds
from rostra.content.items import check_kind, check_unlocked
from rostra.content.names import storable
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item
from rostra.content.unpack import Contents
from rostra.durable import sync_folder

_BATCH = 1_048_576  # bytes written and hashed at once, so that a slow client does not cost a thread each time
_SOURCE_KEYS, _SOURCE_LENGTH = 50, 4096
_ARCHIVE = re.compile(r"([0-9]{1,18})\.tar\.gz")
PENDING = "pending"  # the state of a bundle whose archive is still to come
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """An upload on disk under a scratch name; `accept` moves it or removes it. Checksums are lower-case hexadecimal."""

    path: Path
    size: int
    md5: str
    sha1: str
    sha256: str


def bounds(settings: Applications) -> Bounds:
    return Bounds(members=settings.max_bundle_files, total_bytes=settings.max_unpacked_size)


async def receive(
    stream: AsyncIterator[bytes], *, folder: Path, max_bytes: int, expected_md5: str | None = None
) -> ReceivedFile:
    """Write an upload to a scratch file in ``folder`` and return it once it is on disk.

    ``folder`` must be on the same file system as the bundles. Whatever goes wrong, cancellation too, nothing is left.

    Raises:
        BundleTooLarge, BundleNotWritten
        BundleRefused: nothing was sent.
        ChecksumMismatch: another MD5 was announced.
    """
    path = disk.scratch_beside(folder / "upload")
    try:
        await disk.in_thread(lambda _: disk.make_folders(folder))
        with path.open("xb") as file:
            received = await _write(stream, file, path, max_bytes)
        _check(received, expected_md5)
        return received
    except BaseException as why:
        with contextlib.suppress(OSError):
            path.unlink()
        if isinstance(why, OSError):
            raise BundleNotWritten(why.strerror or str(why)) from why
        raise


async def _write(stream: AsyncIterator[bytes], file: BinaryIO, path: Path, max_bytes: int) -> ReceivedFile:
    digests = [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256()]
    size, waiting = 0, bytearray()

    def put(data: bytes) -> None:
        file.write(data)
        for digest in digests:
            digest.update(data)

    def close() -> None:
        put(bytes(waiting))
        file.flush()
        os.fsync(file.fileno())

    async for piece in stream:
        size += len(piece)
        if size > max_bytes:
            raise BundleTooLarge(max_bytes)
        waiting += piece
        if len(waiting) >= _BATCH:
            batch = bytes(waiting)
            waiting.clear()
            await disk.in_thread(lambda _, data=batch: put(data))  # type: ignore[misc]
    await disk.in_thread(lambda _: close())
    return ReceivedFile(path, size, *(digest.hexdigest() for digest in digests))


def _check(received: ReceivedFile, expected_md5: str | None) -> None:
    if received.size == 0:
        raise BundleRefused("nothing was sent", hint="Send the gzip tar archive as the request's body.")
    if expected_md5 and expected_md5.strip().lower() != received.md5:
        raise ChecksumMismatch(
            "the upload", expected=expected_md5, found=received.md5, hint="It was damaged on its way: upload it again."
        )


async def accept(
    session: AsyncSession,
    item: Item,
    received: ReceivedFile,
    contents: Contents,
    *,
    source: Mapping[str, Any] | None = None,
    user_id: int | None,
    clock: Clock,
    places: Places,
    reserved: Bundle | None = None,
) -> Bundle:
    """Make the upload a bundle of the item. ``contents`` is what `unpack.inspect` found in it beforehand.

    ``reserved``: the row that was promised to somebody, see `reserve`. The archive is in its place when this returns;
    the row is only after the caller's commit. On an error the upload is removed.

    Raises:
        ContentLocked, KindChanged, InvalidSource, BundleNotWritten
    """
    try:
        check_unlocked(item)
        check_kind(item, contents.manifest.app_mode)
        bundle = reserved or Bundle(item_id=item.id)
        for name, value in _facts(received, contents, _checked_source(source or {})).items():
            setattr(bundle, name, value)
        bundle.created_by_id, bundle.created_at = user_id, clock.now()
        session.add(bundle)
        await session.flush()
        await disk.in_thread(lambda _: _move(received.path, places.archive(item.guid, bundle.id)))
    except OSError as why:
        raise BundleNotWritten(why.strerror or str(why)) from why
    finally:
        received.path.unlink(missing_ok=True)
    return bundle


def _facts(received: ReceivedFile, contents: Contents, source: dict[str, Any]) -> dict[str, Any]:
    manifest = contents.manifest
    return {
        "size": received.size,
        "md5": received.md5,
        "sha1": received.sha1,
        "sha256": received.sha256,
        "metadata_": source,
        "manifest": manifest.raw,
        "kind": manifest.app_mode,
        "entrypoint": manifest.entrypoint,
        "state": "uploaded",
        "requested_version": str(manifest.python) if manifest.python else None,
        "requested_range": str(manifest.requires) if manifest.requires else None,
    }


async def reserve(session: AsyncSession, item: Item, user_id: int | None, now: dt.datetime) -> Bundle:
    """Return a row whose archive is still to come: clients are told its number before. `accept` fills it.

    Whoever reserves it deletes it when nothing comes.
    """
    empty = {"size": 0, "md5": "", "sha1": "", "sha256": "", "metadata_": {}, "manifest": {}, "entrypoint": ""}
    bundle = Bundle(item_id=item.id, created_by_id=user_id, created_at=now, kind="unknown", state=PENDING, **empty)
    session.add(bundle)
    await session.flush()
    return bundle


def _checked_source(source: Mapping[str, Any]) -> dict[str, Any]:
    if len(source) > _SOURCE_KEYS:
        raise InvalidSource(f"has more than {_SOURCE_KEYS} keys")
    for key, value in source.items():
        if not isinstance(key, str) or not (value is None or isinstance(value, str)):
            raise InvalidSource("holds something that is not text")
        if any(len(text) > _SOURCE_LENGTH or not storable(text) for text in (key, value or "")):
            raise InvalidSource(f"holds text that cannot be kept, or is longer than {_SOURCE_LENGTH} characters")
    return dict(source)


def _move(scratch: Path, final: Path) -> None:
    disk.make_folders(final.parent)
    scratch.rename(final)
    sync_folder(final.parent)


async def get(session: AsyncSession, item: Item, bundle_id: int | str) -> Bundle:
    """Raises: BundleNotFound, also when it is another item's."""
    number = int(bundle_id) if _NUMBER.fullmatch(str(bundle_id)) else 0
    bundle = await session.get(Bundle, number)
    if bundle is None or bundle.item_id != item.id:
        raise BundleNotFound(bundle_id)
    return bundle


async def listing(session: AsyncSession, item: Item) -> Sequence[Bundle]:
    """Return the item's bundles, newest first; none whose archive is still to come."""
    wanted = sa.select(Bundle).where(Bundle.item_id == item.id, Bundle.state != PENDING).order_by(Bundle.id.desc())
    return (await session.execute(wanted)).scalars().all()


async def latest(session: AsyncSession, item: Item) -> Bundle | None:
    """Return the newest bundle, or None before the first upload."""
    wanted = sa.select(Bundle).where(Bundle.item_id == item.id, Bundle.state != PENDING)
    wanted = wanted.order_by(Bundle.id.desc()).limit(1)
    return (await session.execute(wanted)).scalar_one_or_none()


async def delete(session: AsyncSession, item: Item, bundle: Bundle, places: Places) -> tuple[Path, ...]:
    """Delete a bundle; return what to give to `disk.remove_all` once that is committed.

    Raises:
        BundleIsLive
    """
    if bundle.id == item.live_bundle_id:
        raise BundleIsLive(bundle.id)
    await session.delete(bundle)
    await session.flush()
    return (places.archive(item.guid, bundle.id), places.app(item.guid, bundle.id))


async def prune(session: AsyncSession, item: Item, keep: int, places: Places) -> tuple[Path, ...]:
    """Delete all but the newest ``keep`` bundles (0: delete none) and the live one; returns as `delete`."""
    if keep <= 0:
        return ()
    paths: tuple[Path, ...] = ()
    for bundle in (await listing(session, item))[keep:]:
        if bundle.id != item.live_bundle_id:
            paths += await delete(session, item, bundle, places)
    return paths


async def reconcile(session: AsyncSession, places: Places) -> list[str]:
    """Make files and rows agree after a crash; return a sentence for each thing that was done or should be known.

    For start-up, before anything is served: an upload on its way would look like a file without a row. A folder of an
    item that the database never heard of is left alone and named: no crash makes one, a wrong database does.
    """
    wanted = sa.select(Item.guid, Item.deleted_at, Bundle.id, Bundle.state).outerjoin(Bundle, Bundle.item_id == Item.id)
    known: dict[str, set[int]] = {}
    present: list[tuple[str, int]] = []
    for guid, deleted_at, number, state in await session.execute(wanted):
        known.setdefault(guid, set()).update(() if number is None else (number,))
        if number is not None and deleted_at is None and state not in ("failed", PENDING):
            present.append((guid, number))
    said = await disk.in_thread(lambda _: _remove_leftovers(places, known), long=True)
    for guid, number in present:
        if not places.archive(guid, number).is_file():
            await session.execute(sa.update(Bundle).where(Bundle.id == number).values(state="failed"))
            said.append(f"The archive of bundle {number} of content {guid} is gone; publish that content again.")
    return said


def _remove_leftovers(places: Places, known: Mapping[str, Set[int]]) -> list[str]:
    said = []
    for top in (places.data_dir / "bundles", places.data_dir / "apps"):
        for entry in sorted(top.iterdir()) if top.is_dir() else ():
            if entry.name.startswith(disk.SCRATCH):
                disk.remove(entry)
                said.append(f"Removed an unfinished upload, {top.name}/{entry.name}.")
            elif entry.name in known:
                said += _remove_strays(entry, known[entry.name])
            elif not entry.is_dir() or any(entry.iterdir()):
                said.append(f"{top.name}/{entry.name} belongs to no content of this database; it was left alone.")
    return said


def _remove_strays(folder: Path, numbers: Set[int]) -> list[str]:
    said = []
    for entry in sorted(folder.iterdir()):
        found = _ARCHIVE.fullmatch(entry.name) or _NUMBER.fullmatch(entry.name)
        unfinished = entry.name.startswith(disk.SCRATCH)
        stray = found is not None and int(entry.name.partition(".")[0]) not in numbers
        if unfinished or stray:
            disk.remove(entry)
            said.append(f"Removed {folder.parent.name}/{folder.name}/{entry.name}, which no bundle needs.")
    return said
