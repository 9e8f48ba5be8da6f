"""The whole data folder in one file, written while the server goes on working.

The file is a compressed tar: ``backup.json`` first, then the folder's files, ``rostra.db``, and last ``checksums.json``
with the SHA-256 of every one of them, so that a file that was cut off has none. The database is a snapshot taken
after the files. When it names files that came meanwhile, those are added and another snapshot is taken, until
everything the last one names is there.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO
from urllib.parse import quote

from rostra.config.sections import Settings
from rostra.content.disk import SCRATCH
from rostra.errors import Conflict, NotFound, Problem

FORMAT = 1
HEAD, SUMS, DATABASE = "backup.json", "checksums.json", "rostra.db"
# Their scripts and links name the data folder itself. Links of environments lead to what is unpacked.
MADE_FOR_THIS_FOLDER = ("environments", "overlays", "unpacked")
_MADE_AGAIN = frozenset({"run", "cache", "bytecode", "rehearsals", "lost+found"})
_SAYS_IT_IS_WHOLE = frozenset({"rostra.json", "about.json"})  # of an environment, of an unpacked package
_DATABASE_FILES = frozenset({DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"})
_ROUNDS = 5

Say = Callable[[str], None]


class NothingToBackUp(NotFound):
    code = "nothing-to-back-up"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not the data folder of a server", hint="Name the server's configuration file with --config."
        )


class DatabaseElsewhere(Conflict):
    """The records are in PostgreSQL, which has tools of its own for this."""

    code = "database-elsewhere"

    def __init__(self) -> None:
        super().__init__(
            "this server keeps its records in PostgreSQL, not in the data folder",
            hint="Back up the database with pg_dump, and after that the files with --files-only.",
        )


class OutputTaken(Conflict):
    code = "output-taken"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}", hint="Name another file with --output.")


class CannotBackUp(Problem):
    """Something cannot be read or written; ``why`` says what."""

    code = "cannot-back-up"

    def __init__(self, why: OSError) -> None:
        what = f"{why.filename}: " if why.filename else ""
        super().__init__(
            f"the backup stopped: {what}{why.strerror or why}",
            hint="Run it as the account the server runs as, with room for the file. No file was left.",
        )


class DatabaseDamaged(Problem):
    """The snapshot does not pass SQLite's own check."""

    code = "database-damaged"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the database is damaged: {why[:200]}", hint="Keep this data folder and restore an earlier backup."
        )


@dataclass(frozen=True, slots=True)
class Made:
    """``missing`` are files the records name that the data folder does not have either."""

    path: Path
    files: int
    size: int
    missing: tuple[str, ...] = ()


def back_up(
    settings: Settings,
    output: Path,
    say: Say,
    *,
    environments: bool = True,
    files_only: bool = False,
) -> Made:
    """Write the data folder of ``settings`` to ``output``, which only its owner may read.

    Args:
        environments: without them the file is smaller, and packages are installed again when they are needed.
        files_only: leave the database out.

    Raises:
        NothingToBackUp, DatabaseElsewhere, DatabaseDamaged, OutputTaken, CannotBackUp
    """
    try:
        return _back_up(settings, output, say, environments=environments, files_only=files_only)
    except OSError as why:
        raise CannotBackUp(why) from why


def _back_up(settings: Settings, output: Path, say: Say, *, environments: bool, files_only: bool) -> Made:
    folder = settings.server.data_dir.resolve()
    sqlite = settings.database.provider == "sqlite"
    if not sqlite and not files_only:
        raise DatabaseElsewhere
    if not (folder / (DATABASE if sqlite else "secrets")).exists():
        raise NothingToBackUp(folder)
    left_out = _MADE_AGAIN | (frozenset() if environments else frozenset(MADE_FOR_THIS_FOLDER))
    with (
        _file(output, folder) as whole,
        tempfile.TemporaryDirectory(dir=output.parent, prefix=".rostra-") as scratch,
        gzip.GzipFile(filename="", fileobj=whole, mode="wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        archive = _Archive(tar, folder, left_out)
        archive.add_text(HEAD, _head(folder, files_only=files_only))
        missing: tuple[str, ...] = ()
        if files_only:
            archive.add_tree(say)
        else:
            snapshot = Path(scratch) / DATABASE
            missing = _consistent(archive, folder / DATABASE, snapshot, say)
            archive.add_file(snapshot, DATABASE)
        archive.add_text(SUMS, json.dumps(archive.sums))
    return Made(output, len(archive.sums), output.stat().st_size, missing)


def _head(folder: Path, *, files_only: bool) -> str:
    told = {
        "format": FORMAT,
        "rostra": version("rostra"),
        "made_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "data_dir": str(folder),
        "database": not files_only,
    }
    return json.dumps(told, indent=2)


@contextlib.contextmanager
def _file(output: Path, folder: Path) -> Iterator[IO[bytes]]:
    """Open the file under another name; it gets its own when it is complete."""
    if output.exists():
        raise OutputTaken(output, "is there already")
    if output.parent.resolve().is_relative_to(folder):
        raise OutputTaken(output, "is inside the data folder that is backed up")
    if not output.parent.is_dir():
        raise OutputTaken(output, "is in a folder that is not there")
    partial = output.with_name(f".{output.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as whole:
            yield whole
            whole.flush()
            os.fsync(whole.fileno())
        if output.exists():
            raise OutputTaken(output, "is there already")
        partial.rename(output)
    finally:
        partial.unlink(missing_ok=True)


def _consistent(archive: _Archive, database: Path, snapshot: Path, say: Say) -> tuple[str, ...]:
    """Add files and take snapshots until the last one names nothing that is not there; return what cannot be had."""
    missing: list[str] = []
    for _ in range(_ROUNDS):
        archive.add_tree(say)
        take_snapshot(database, snapshot)
        missing = [name for name in named(snapshot) if not archive.has(name)]
        if not any((archive.folder / name).exists() for name in missing):
            break
        say(f"{len(missing)} files came meanwhile; adding them")
    return tuple(name for name in missing if not name.startswith("apps/"))  # unpacked again from its archive


def take_snapshot(database: Path, snapshot: Path) -> None:
    """Copy a database that others write to, as it is at one moment.

    Raises:
        DatabaseDamaged
    """
    snapshot.unlink(missing_ok=True)
    os.close(os.open(snapshot, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = f"file:{quote(str(database))}?mode=rw"  # a reader of a WAL takes part in its bookkeeping
    try:
        with (
            contextlib.closing(sqlite3.connect(source, uri=True, timeout=60)) as live,
            contextlib.closing(sqlite3.connect(snapshot)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as why:
        raise DatabaseDamaged(str(why)) from why
    if found != "ok":
        raise DatabaseDamaged(str(found))


def named(snapshot: Path) -> list[str]:
    """Return the files and folders that the records of a snapshot say are there."""
    wanted = (
        "SELECT 'bundles/' || guid || '/' || bundles.id || '.tar.gz' FROM bundles JOIN items ON items.id = item_id "
        "WHERE deleted_at IS NULL AND state <> 'failed'",
        "SELECT 'apps/' || guid || '/' || live_bundle_id FROM items WHERE deleted_at IS NULL AND live_bundle_id > 0",
        "SELECT path FROM renderings JOIN items ON items.id = item_id WHERE deleted_at IS NULL",
    )
    with contextlib.closing(sqlite3.connect(snapshot)) as copy:
        return [str(name) for query in wanted for (name,) in copy.execute(query)]


@dataclass(slots=True)
class _Archive:
    """``sums`` is what was added: the SHA-256 of a file, ``-> target`` for a link, empty for a folder."""

    tar: tarfile.TarFile
    folder: Path
    left_out: frozenset[str]
    sums: dict[str, str] = field(default_factory=dict)
    _links: dict[tuple[int, int], str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.sums

    def add_tree(self, say: Say) -> None:
        """Add what is in the data folder and was not added before."""
        with os.scandir(self.folder) as found:
            tops = sorted(entry.name for entry in found)
        for top in tops:
            if top in self.left_out or top in _DATABASE_FILES or top.startswith(SCRATCH):
                continue
            before = len(self.sums)
            path = self.folder / top
            # A part of the data folder may lie on another disk; it is restored as a folder.
            self._add(path.resolve() if path.is_dir() else path, top)
            if len(self.sums) > before:
                say(f"{top}: {len(self.sums) - before} files")

    def _add(self, top: Path, name: str) -> None:
        waiting = [(top, name)]
        while waiting:
            path, name = waiting.pop()
            with contextlib.suppress(FileNotFoundError):  # it went away meanwhile, as things do while a server works
                facts = path.lstat()
                if stat.S_ISDIR(facts.st_mode):
                    waiting += reversed(self._add_folder(path, name, facts))
                elif name in self.sums:
                    continue
                elif stat.S_ISLNK(facts.st_mode):
                    self._add_link(name, str(path.readlink()), tarfile.SYMTYPE, facts)
                elif stat.S_ISREG(facts.st_mode):
                    self._add_regular(path, name, facts)

    def _add_folder(self, path: Path, name: str, facts: os.stat_result) -> list[tuple[Path, str]]:
        """Add a folder and return what is in it."""
        if name not in self.sums:
            self.tar.addfile(_info(name, tarfile.DIRTYPE, facts))
            self.sums[name] = ""
        with os.scandir(path) as found:
            # What says that a folder is whole comes last: one that goes away meanwhile must not look whole.
            entries = sorted((entry.name for entry in found), key=lambda each: (each in _SAYS_IT_IS_WHOLE, each))
        # Deeper (apps/{guid}/{bundle}, environments/{language}/{version}/{key}) names are content's, whatever they are.
        own = name.count("/") < (3 if name.startswith(MADE_FOR_THIS_FOLDER) else 2)
        return [(path / entry, f"{name}/{entry}") for entry in entries if not (own and entry.startswith(SCRATCH))]

    def _add_link(self, name: str, target: str, sort: bytes, facts: os.stat_result) -> None:
        info = _info(name, sort, facts)
        info.linkname = target
        self.tar.addfile(info)
        self.sums[name] = f"-> {target}"

    def _add_regular(self, path: Path, name: str, facts: os.stat_result) -> None:
        place = (facts.st_dev, facts.st_ino)
        if facts.st_nlink > 1 and place in self._links:  # environments share their packages
            self._add_link(name, self._links[place], tarfile.LNKTYPE, facts)
            return
        self.add_file(path, name)
        self._links[place] = name

    def add_file(self, path: Path, name: str) -> None:
        """Add a file as long as it is now; what is appended meanwhile is left out."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as source:
            facts = os.fstat(source.fileno())
            info = _info(name, tarfile.REGTYPE, facts)
            info.size = facts.st_size
            body = _Measured(source, facts.st_size)
            self.tar.addfile(info, body)
        self.sums[name] = body.sum.hexdigest()

    def add_text(self, name: str, text: str) -> None:
        data = text.encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self.tar.addfile(info, io.BytesIO(data))
        if name != SUMS:
            self.sums[name] = hashlib.sha256(data).hexdigest()


def _info(name: str, sort: bytes, facts: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = sort, stat.S_IMODE(facts.st_mode) & 0o777, facts.st_mtime
    return info


class _Measured(io.RawIOBase):
    """Exactly ``size`` bytes of a file, zeros where it became shorter meanwhile, with their checksum."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source, self._left, self.sum = source, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted)
        data += b"\0" * (wanted - len(data))
        self._left -= len(data)
        self.sum.update(data)
        return data
