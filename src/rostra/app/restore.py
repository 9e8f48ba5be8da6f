"""A backup made into a data folder again. The file is not trusted: it may write nothing outside of that folder.

Everything is unpacked into a scratch folder inside it, compared with the file's own checksums, and only then moved into
place, the database last. Links are made after all files, so that nothing can be written through one. The scratch folder
goes last of all: while it is there the restore is unfinished, and no server starts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rostra.app.backup import DATABASE, FORMAT, HEAD, MADE_FOR_THIS_FOLDER, SUMS, Say
from rostra.durable import UNFINISHED, sync_everything_under, sync_folder
from rostra.errors import Conflict, Invalid, NotFound, Problem
from rostra.trees import remove_tree

_CHUNK = 1 << 20
_LARGEST_TEXT = 1 << 30
_LATEST = float(1 << 33)  # the year 2242: file systems and calendars end somewhere, and no file is from then
_OWN_FOLDERS = 3  # names as far down as apps/{guid}/{bundle} are the server's own and never links
# What the libraries raise over bytes that make no sense.
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError, RecursionError)


class NotABackup(Invalid):
    """``why`` says what is wrong with the file."""

    code = "not-a-backup"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be restored: {why}", hint="Nothing was changed. Take another backup file.")


class BackupMissing(NotFound):
    code = "backup-missing"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read: {why}", hint="Name the file that `rostra backup` wrote.")


class CannotRestore(Problem):
    """The disk or the folder does not let it; ``why`` says what."""

    code = "cannot-restore"

    def __init__(self, folder: Path, why: OSError) -> None:
        super().__init__(
            f"nothing can be restored into {folder}: {why.strerror or why}",
            hint="The folder is left empty. It needs room for everything, and this account must be allowed to write.",
        )


class FolderInUse(Conflict):
    """A restore never mixes with what is there."""

    code = "folder-in-use"

    def __init__(self, folder: Path, name: str) -> None:
        interrupted = name == UNFINISHED
        super().__init__(
            f"{folder} is not empty: it has {name}",
            hint="A restore was interrupted there: remove what is in it and begin again."
            if interrupted
            else "Move it away, or name another folder with --to.",
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """``left_out`` are parts that only fit the folder the backup was made of; they are made again when needed."""

    folder: Path
    files: int
    made_at: str
    rostra: str
    database: bool
    left_out: tuple[str, ...] = ()


def restore(file: Path, folder: Path, say: Say) -> Restored:
    """Unpack the backup ``file`` into ``folder``, which must be empty or not be there.

    Raises:
        BackupMissing, NotABackup, FolderInUse, CannotRestore
    """
    try:
        whole = file.open("rb")
    except OSError as why:
        raise BackupMissing(file, why.strerror or "") from why
    try:
        with whole:
            return _restore(file, whole, folder, say)
    except _DAMAGE as why:
        raise NotABackup(file, f"it is damaged ({why})") from why
    except OSError as why:
        raise CannotRestore(folder, why) from why


def _restore(path: Path, whole: IO[bytes], folder: Path, say: Say) -> Restored:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if others := sorted({path.name for path in folder.iterdir()} - {"lost+found"}):
        raise FolderInUse(folder, others[0])
    folder.chmod(0o700)
    scratch = folder / UNFINISHED
    scratch.mkdir(mode=0o700)
    try:
        with tarfile.open(fileobj=whole, mode="r|gz") as tar:
            unpacked = _Unpacked(path, scratch, folder)
            unpacked.take(tar)
        unpacked.check()
        unpacked.link()
        say(f"{len(unpacked.sums)} files are complete")
        _move(scratch, folder)
    finally:
        remove_tree(scratch)
    head = unpacked.head
    return Restored(
        folder, len(unpacked.sums), str(head.get("made_at", "")), str(head.get("rostra", "")),
        (folder / DATABASE).exists(), tuple(sorted(unpacked.left_out)),
    )  # fmt: skip


def _move(scratch: Path, folder: Path) -> None:
    """Move everything into place, or nothing."""
    sync_everything_under(scratch)
    moved: list[Path] = []
    try:
        for part in sorted(scratch.iterdir(), key=lambda each: each.name == DATABASE):
            if part.name != HEAD:
                part.rename(folder / part.name)
                moved.append(part)
        sync_folder(folder)
    except BaseException:
        for part in moved:
            (folder / part.name).rename(part)
        raise


@dataclass(slots=True)
class _Unpacked:
    """What came out of the file so far. ``sums`` is as the backup counts it."""

    path: Path
    scratch: Path
    folder: Path
    head: Mapping[str, Any] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    _said: Mapping[str, Any] | None = None
    _modes: dict[Path, int] = field(default_factory=dict)
    _links: dict[Path, str] = field(default_factory=dict)

    def take(self, tar: tarfile.TarFile) -> None:
        for member in tar:
            if self._said is not None:
                raise self._bad("something follows its checksums")
            if not self.head:
                self._begin(tar, member)
            elif member.name == SUMS:
                self._said = self._json(tar, member)
            else:
                self._take(tar, member)

    def _begin(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if member.name != HEAD:
            raise self._bad("it was not made by `rostra backup`")
        data = self._text(tar, member)
        head = self._read(data)
        if head.get("format") != FORMAT:
            raise self._bad(f"its format is {str(head.get('format'))[:20]!r}, and this release reads {FORMAT}")
        self.head = head
        self.sums[HEAD] = hashlib.sha256(data).hexdigest()

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = self._parts(member.name)
        if member.name in self.sums:
            raise self._bad(f"it has {member.name[:200]} twice")
        top, wanted = parts[0], self._wanted(parts[0])
        place = self.scratch.joinpath(*parts)
        if wanted and len(parts) > 1 and not place.parent.is_dir():
            raise self._bad(f"it has {member.name[:200]} before its folder")
        if not wanted:
            self.left_out.add(top)
        if member.isdir():
            self.sums[member.name] = ""
            if wanted:
                place.mkdir(mode=0o700)
                self._modes[place] = member.mode & 0o777
        elif member.isreg() and not member.issparse():  # a few bytes may call themselves a sparse file of terabytes
            self.sums[member.name] = self._file(tar, member, place if wanted else None)
        elif member.issym():
            if len(parts) <= _OWN_FOLDERS or "\0" in member.linkname:
                raise self._bad(f"{member.name[:200]} is a link where none may be")
            self.sums[member.name] = f"-> {member.linkname}"
            if wanted:
                self._links[place] = member.linkname
        elif member.islnk():
            self.sums[member.name] = f"-> {member.linkname}"
            if wanted:
                self._same(member, place)
        else:
            raise self._bad(f"{member.name[:200]} is neither a file, a folder nor a link")

    def _wanted(self, top: str) -> bool:
        return top not in MADE_FOR_THIS_FOLDER or self.head.get("data_dir") == str(self.folder.resolve())

    def _parts(self, name: str) -> list[str]:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0] == UNFINISHED:
            raise self._bad(f"it has a member named {name[:200]!r}")
        return parts

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path | None) -> str:
        found = hashlib.sha256()
        body = tar.extractfile(member)
        assert body is not None
        if place is None:
            while data := body.read(_CHUNK):
                found.update(data)
            return found.hexdigest()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(place, flags, 0o600), "wb") as made:
            while data := body.read(_CHUNK):
                found.update(data)
                made.write(data)
            made.flush()  # else what is still held would be written after the time was set
            os.fchmod(made.fileno(), member.mode & 0o777)
            when = member.mtime if 0 <= member.mtime <= _LATEST else 0  # it may be no number at all
            os.utime(made.fileno(), (when, when))
        return found.hexdigest()

    def _same(self, member: tarfile.TarInfo, place: Path) -> None:
        """Make a second name for a file that came before."""
        target = self.scratch.joinpath(*self._parts(member.linkname))
        if len(self.sums.get(member.linkname, "")) != hashlib.sha256().digest_size * 2 or not target.exists():
            raise self._bad(f"{member.name[:200]} is a link to no file that came before it")
        os.link(target, place, follow_symlinks=False)

    def check(self) -> None:
        """Compare with the checksums the file ends with."""
        if self._said is None:
            raise self._bad("it ends before its checksums: it was cut off")
        for name in sorted(self._said.keys() | self.sums.keys()):
            if self._said.get(name) != self.sums.get(name):
                raise self._bad(f"the checksum of {name[:200]} is wrong")
        if self.head.get("database") and not self.sums.get(DATABASE):
            raise self._bad("it has no database")

    def link(self) -> None:
        """Make the symbolic links, then give the folders their modes: the deepest first."""
        for place, target in self._links.items():
            place.symlink_to(target)
        for place, mode in reversed(self._modes.items()):
            place.chmod(mode)

    def _json(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Mapping[str, Any]:
        return self._read(self._text(tar, member))

    def _text(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        if not member.isreg() or member.size > _LARGEST_TEXT:
            raise self._bad(f"its {member.name} cannot be read")
        body = tar.extractfile(member)
        assert body is not None
        return body.read()

    def _read(self, data: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as why:
            raise self._bad("what it says of itself cannot be read") from why
        if not isinstance(found, dict):
            raise self._bad("what it says of itself cannot be read")
        return found

    def _bad(self, why: str) -> NotABackup:
        return NotABackup(self.path, why)
