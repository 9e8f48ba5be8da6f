"""A backup is whole or not there, is taken beside a busy server, and a hostile one writes nothing elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rostra.app import backup as module
from rostra.app import restore as restoring
from rostra.app.backup import (
    DATABASE,
    HEAD,
    SUMS,
    CannotBackUp,
    DatabaseDamaged,
    DatabaseElsewhere,
    NothingToBackUp,
    OutputTaken,
    back_up,
)
from rostra.app.restore import BackupMissing, CannotRestore, FolderInUse, NotABackup, restore
from rostra.config.sections import Server, Settings
from rostra.errors import Problem
from rostra.server.places import CannotServe, prepare
from rostra.trees import remove_tree

TABLES = """
CREATE TABLE items (id INTEGER PRIMARY KEY, guid TEXT, live_bundle_id INTEGER, deleted_at TEXT);
CREATE TABLE bundles (id INTEGER PRIMARY KEY, item_id INTEGER, state TEXT);
CREATE TABLE renderings (id INTEGER PRIMARY KEY, item_id INTEGER, path TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO items VALUES (1, 'g', 7, NULL);
INSERT INTO bundles VALUES (7, 1, 'built');
"""


def quiet(_: str) -> None:
    pass


def write(folder: Path, name: str, text: str = "", mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write(folder, "secrets/variables.key", "secret")
    write(folder, "bundles/g/7.tar.gz", "archive")
    write(folder, "apps/g/7/app.py", "print()", 0o444)
    write(folder, "bundles/g/.scratch-1/half")
    write(folder, "run/control.lock")
    write(folder, "cache/uv/big", "x" * 1000)
    first = write(folder, "environments/python/3.11.7/k1/lib/shared.py", "shared", 0o444)
    (folder / "environments/python/3.11.7/k2/lib").mkdir(parents=True)
    os.link(first, folder / "environments/python/3.11.7/k2/lib/shared.py")
    (folder / "environments/python/3.11.7/k1/bin").mkdir()
    (folder / "environments/python/3.11.7/k1/bin/python").symlink_to("/opt/python/bin/python3")
    big = write(folder, "unpacked/s/big-1/tree/lib/big/__init__.py", "", 0o444).parent
    (folder / "environments/python/3.11.7/k1/lib/big").symlink_to(big)
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.executescript(TABLES)
    return folder


def settings(folder: Path, provider: str = "sqlite") -> Settings:
    made = Settings()
    database = dataclasses.replace(made.database, provider=provider)
    return dataclasses.replace(made, server=Server(data_dir=folder), database=database)


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Path:
    os.utime(data / "apps/g/7/app.py", (1e9, 1e9))
    return back_up(settings(data), tmp_path / "b.tar.gz", quiet).path


def tree(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        told = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (stat.S_IMODE(facts.st_mode), told)
    return found


def test_what_is_restored_is_what_was_there(data: Path, made: Path, tmp_path: Path) -> None:
    data.rename(tmp_path / "old")
    done = restore(made, data, quiet)
    before, after = tree(tmp_path / "old"), tree(data)
    assert done.database
    assert done.left_out == ()
    made_again = {name for name in before if name.split("/")[0] in ("run", "cache") or ".scratch-" in name}
    beside = {name for name in before if name.startswith(f"{DATABASE}-")}
    assert set(before) - set(after) == made_again | beside
    for name in set(after) - {DATABASE}:
        assert after[name] == before[name], name
    assert (data / "apps/g/7/app.py").stat().st_mtime == 1e9
    with sqlite3.connect(data / DATABASE) as found:
        assert found.execute("SELECT guid FROM items").fetchall() == [("g",)]
    one = data / "environments/python/3.11.7/k1/lib/shared.py"
    assert one.stat().st_ino == (data / "environments/python/3.11.7/k2/lib/shared.py").stat().st_ino, "shared again"


def test_contents_own_names_are_kept_whatever_they_are(data: Path, tmp_path: Path) -> None:
    write(data, "apps/g/7/.scratch-notes/keep.txt", "mine")
    made = back_up(settings(data), tmp_path / "b.tar.gz", quiet).path
    restore(made, tmp_path / "new", quiet)
    assert (tmp_path / "new/apps/g/7/.scratch-notes/keep.txt").read_text() == "mine"


def test_folders_may_be_deeper_than_calls(data: Path, tmp_path: Path) -> None:
    deep = str(data / "environments/python/3.11.7/k1/lib")
    for _ in range(sys.getrecursionlimit()):
        deep += "/a"
        os.mkdir(deep)  # noqa: PTH102
    made = back_up(settings(data), tmp_path / "b.tar.gz", quiet).path
    restore(made, tmp_path / "new", quiet)
    assert made.exists()
    assert remove_tree(data)


def test_only_the_owner_may_read_any_of_it(data: Path, made: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    restore(made, tmp_path / "new", quiet)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    for name in (DATABASE, "secrets/variables.key"):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "nothing is left beside it"


def test_environments_belong_to_one_folder(data: Path, made: Path, tmp_path: Path) -> None:
    done = restore(made, tmp_path / "elsewhere", quiet)
    assert done.left_out == ("environments", "unpacked")
    assert not (tmp_path / "elsewhere/environments").exists()
    small = back_up(settings(data), tmp_path / "small.tar.gz", quiet, environments=False)
    with tarfile.open(small.path) as tar:
        assert not [name for name in tar.getnames() if name.startswith(("environments", "unpacked"))]


def test_an_environment_that_is_removed_meanwhile_does_not_look_whole(data: Path, tmp_path: Path) -> None:
    """What says that it is whole is read last, and by then it has gone."""
    root = data / "environments/python/3.11.7/k1"
    write(root, "rostra.json", "{}")
    write(root, "share/doc", "")
    made = back_up(settings(data), tmp_path / "b.tar.gz", quiet).path
    with tarfile.open(made) as tar:
        names = [name for name in tar.getnames() if "/k1/" in name]
    assert names[-1].endswith("rostra.json")


def test_a_part_on_another_disk_is_a_folder_again(data: Path, tmp_path: Path) -> None:
    (data / "bundles").rename(tmp_path / "big-disk")
    (data / "bundles").symlink_to(tmp_path / "big-disk")
    done = back_up(settings(data), tmp_path / "b.tar.gz", quiet)
    assert done.missing == ()
    restore(done.path, tmp_path / "new", quiet)
    assert not (tmp_path / "new/bundles").is_symlink()
    assert (tmp_path / "new/bundles/g/7.tar.gz").read_text() == "archive"


def test_what_may_not_be_read_is_said_and_leaves_no_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("variables.key"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr(module.os, "open", refusing)
    with pytest.raises(CannotBackUp, match=r"secrets/variables\.key: Permission denied"):
        back_up(settings(data), tmp_path / "b.tar.gz", quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_snapshot_is_one_moment_of_a_busy_database(data: Path, tmp_path: Path) -> None:
    """A writer adds two rows in each transaction all the time: no snapshot has one without the other."""
    stop = threading.Event()

    def busy() -> None:
        with sqlite3.connect(data / DATABASE, timeout=60) as live:
            while not stop.is_set():
                with live:
                    live.execute("INSERT INTO notes (text) VALUES ('one')")
                    live.execute("INSERT INTO notes (text) VALUES ('two')")

    writer = threading.Thread(target=busy)
    writer.start()
    try:
        for number in range(5):
            back_up(settings(data), tmp_path / f"{number}.tar.gz", quiet)
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        restore(tmp_path / f"{number}.tar.gz", tmp_path / f"r{number}", quiet)
        with sqlite3.connect(tmp_path / f"r{number}" / DATABASE) as found:
            (ones, twos) = found.execute("SELECT sum(text = 'one'), sum(text = 'two') FROM notes").fetchone()
        assert ones == twos


def test_what_is_published_meanwhile_is_there_or_unknown(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle becomes live, and the one before it is removed, after the files were read and before the snapshot."""
    take, rounds = module.take_snapshot, []

    def published(database: Path, snapshot: Path) -> None:
        if not rounds:
            write(data, "bundles/g/8.tar.gz", "newer")
            write(data, "apps/g/8/app.py", "print(8)")
            with sqlite3.connect(database) as live:
                live.execute("INSERT INTO bundles VALUES (8, 1, 'built')")
                live.execute("DELETE FROM bundles WHERE id = 7")
                live.execute("UPDATE items SET live_bundle_id = 8")
        rounds.append(snapshot)
        take(database, snapshot)

    monkeypatch.setattr(module, "take_snapshot", published)
    done = back_up(settings(data), tmp_path / "b.tar.gz", quiet)
    assert (done.missing, len(rounds)) == ((), 2)
    restore(done.path, tmp_path / "new", quiet)
    assert (tmp_path / "new/bundles/g/8.tar.gz").read_text() == "newer"
    assert (tmp_path / "new/apps/g/8/app.py").read_text() == "print(8)"


def test_what_the_records_name_and_nobody_has_is_said(data: Path, tmp_path: Path) -> None:
    (data / "bundles/g/7.tar.gz").unlink()
    assert back_up(settings(data), tmp_path / "b.tar.gz", quiet).missing == ("bundles/g/7.tar.gz",)


def test_a_log_that_grows_or_shrinks_while_it_is_read_is_no_trouble(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(data, "jobs/g/j.log", "line\n" * 1000)
    real = os.fstat

    def shrinking(handle: int) -> os.stat_result:
        facts = real(handle)
        if facts.st_size == 5000:
            log.write_text("short")
        return facts

    monkeypatch.setattr(module.os, "fstat", shrinking)
    done = back_up(settings(data), tmp_path / "b.tar.gz", quiet)
    monkeypatch.undo()
    restore(done.path, tmp_path / "new", quiet)
    assert (tmp_path / "new/jobs/g/j.log").read_bytes().rstrip(b"\0") == b"short"


def test_refusals_of_a_backup(data: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToBackUp):
        back_up(settings(tmp_path / "nowhere"), tmp_path / "b.tar.gz", quiet)
    with pytest.raises(DatabaseElsewhere):
        back_up(settings(data, "postgres"), tmp_path / "b.tar.gz", quiet)
    with pytest.raises(OutputTaken, match="inside the data folder"):
        back_up(settings(data), data / "b.tar.gz", quiet)
    with pytest.raises(OutputTaken, match="not there"):
        back_up(settings(data), tmp_path / "no/b.tar.gz", quiet)
    taken = write(tmp_path, "taken.tar.gz", "precious")
    with pytest.raises(OutputTaken, match="already"):
        back_up(settings(data), taken, quiet)
    assert taken.read_text() == "precious"
    done = back_up(settings(data, "postgres"), tmp_path / "f.tar.gz", quiet, files_only=True)
    assert not restore(done.path, tmp_path / "new", quiet).database
    (data / DATABASE).write_bytes(b"SQLite format 3\0" + b"?" * 5000)
    with pytest.raises(DatabaseDamaged):
        back_up(settings(data), tmp_path / "d.tar.gz", quiet)
    assert not (tmp_path / "d.tar.gz").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_with_something_in_it_is_left_alone(made: Path, tmp_path: Path) -> None:
    there = write(tmp_path, "full/precious", "x")
    with pytest.raises(FolderInUse, match="precious"):
        restore(made, there.parent, quiet)
    assert [path.name for path in there.parent.iterdir()] == ["precious"]
    with pytest.raises(BackupMissing):
        restore(tmp_path / "none.tar.gz", tmp_path / "new", quiet)
    with pytest.raises(BackupMissing):
        restore(tmp_path, tmp_path / "new", quiet)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.97])
def test_a_file_that_was_cut_off_restores_nothing(made: Path, tmp_path: Path, part: float) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(NotABackup):
        restore(made, tmp_path / "new", quiet)
    assert list((tmp_path / "new").iterdir()) == []


Members = list[tuple[str, bytes, str, bytes]]  # name, type, link, content


def members_of(path: Path) -> Members:
    found = []
    with tarfile.open(path) as tar:
        for member in tar:
            body = tar.extractfile(member) if member.isreg() else None
            found.append((member.name, member.type, member.linkname, body.read() if body else b""))
    return found


def packed(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, sort, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = sort, link, len(content), 0o6777
            tar.addfile(info, io.BytesIO(content))
    return path


def before_the_sums(*more: tuple[str, bytes, str, bytes]) -> Callable[[Members], Members]:
    return lambda members: [*members[:-1], *more, members[-1]]


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: [each for each in members if each[0] != name]


def changed(name: str, content: bytes) -> Callable[[Members], Members]:
    return lambda members: [(*each[:3], content) if each[0] == name else each for each in members]


FILE, LINK, HARD, DEVICE, FOLDER, PIPE = b"0", b"2", b"1", b"3", b"5", b"6"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a path that climbs", before_the_sums(("../evil", FILE, "", b"x"))),
        ("one that climbs in the middle", before_the_sums(("apps/../../evil", FILE, "", b"x"))),
        ("an absolute path", before_the_sums(("/tmp/evil", FILE, "", b"x"))),
        ("an empty part", before_the_sums(("apps//evil", FILE, "", b"x"))),
        ("through a link", before_the_sums(("out", LINK, "/tmp", b""), ("out/evil", FILE, "", b"x"))),
        ("over a file", before_the_sums(("secrets/variables.key", FILE, "", b"mine"))),
        ("over a link", before_the_sums(("out", LINK, "/etc/passwd", b""), ("out", FILE, "", b"x"))),
        ("below a file", before_the_sums(("secrets/variables.key/x", FILE, "", b"x"))),
        ("a hard link out", before_the_sums(("shadow", HARD, "/etc/shadow", b""))),
        ("a hard link that climbs", before_the_sums(("shadow", HARD, "../../../etc/shadow", b""))),
        ("a hard link to a link", before_the_sums(("a", LINK, "/etc/passwd", b""), ("b", HARD, "a", b""))),
        ("a hard link to nothing", before_the_sums(("b", HARD, "nothing", b""))),
        ("a device", before_the_sums(("null", DEVICE, "", b""))),
        ("a pipe", before_the_sums(("pipe", PIPE, "", b""))),
        ("the scratch folder", before_the_sums((".restoring/x", FILE, "", b"x"))),
        ("a stranger", before_the_sums(("bundles/g/9.tar.gz", FILE, "", b"x"))),
        ("another secret", changed("secrets/variables.key", b"mine!!")),
        ("another database", changed(DATABASE, b"mine")),
        ("a file less", without("bundles/g/7.tar.gz")),
        ("no database", without(DATABASE)),
        ("no head", without(HEAD)),
        ("no checksums", without(SUMS)),
        ("checksums that are a list", changed(SUMS, b"[]")),
        ("checksums that are nothing", changed(SUMS, b"\xff")),
        ("checksums in a tower", changed(SUMS, b"[" * 100_000)),
        ("a format to come", changed(HEAD, json.dumps({"format": 2}).encode())),
        ("a head that is a list", changed(HEAD, b"[]")),
        ("something after the end", lambda members: [*members, ("late", FILE, "", b"x")]),
    ],
)
def test_a_hostile_backup_is_refused_and_leaves_nothing(
    made: Path, tmp_path: Path, name: str, change: Callable[[Members], Members]
) -> None:
    evil = packed(tmp_path / "evil.tar.gz", change(members_of(made)))
    before = tree(tmp_path)
    with pytest.raises(NotABackup):
        restore(evil, tmp_path / "new", quiet)
    assert tree(tmp_path) == before | {"new": (0o700, b"")}, name


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(b"\0" * 10240)],
    ids=["empty", "text", "no tar inside", "an empty tar inside"],  # what is compressed carries the time of day
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(NotABackup):
        restore(tmp_path / "x.tar.gz", tmp_path / "new", quiet)


def sealed(members: Members) -> Members:
    """Return the members with checksums that fit, as somebody who made the file on purpose would have them."""
    sums = {}
    for name, sort, link, content in members[:-1]:
        sums[name] = f"-> {link}" if sort in (LINK, HARD) else hashlib.sha256(content).hexdigest()
        sums[name] = "" if sort == FOLDER else sums[name]
    return [*members[:-1], (SUMS, FILE, "", json.dumps(sums).encode())]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a link in place of the database", lambda m: [*without(DATABASE)(m)[:-1], (DATABASE, LINK, "/x", b""), m[-1]]),
        (
            "a folder in place of the database",
            lambda m: [*without(DATABASE)(m)[:-1], (DATABASE, FOLDER, "", b""), m[-1]],
        ),
        ("a link in place of a folder", before_the_sums(("jobs", LINK, "/etc", b""))),
        ("a link in place of an item", before_the_sums(("bundles/h", LINK, "/etc", b""))),
        ("a link in place of a bundle", before_the_sums(("bundles/g/9.tar.gz", LINK, "/etc/shadow", b""))),
    ],
)
def test_links_only_where_content_is(
    made: Path, tmp_path: Path, name: str, change: Callable[[Members], Members]
) -> None:
    assert restore(packed(tmp_path / "good.tar.gz", sealed(members_of(made))), tmp_path / "good", quiet)
    evil = packed(tmp_path / "evil.tar.gz", sealed(change(members_of(made))))
    with pytest.raises(NotABackup):
        restore(evil, tmp_path / "new", quiet)
    assert list((tmp_path / "new").iterdir()) == [], name


@pytest.mark.parametrize("when", [1e300, float("inf"), float("-inf"), float("nan"), -1e300, 1 << 62, 4e17])
def test_a_time_that_cannot_be_is_none(made: Path, tmp_path: Path, when: float) -> None:
    with tarfile.open(made) as given, tarfile.open(tmp_path / "t.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member in given:
            if member.name == "secrets/variables.key":
                member.pax_headers = {"mtime": str(when)}
            tar.addfile(member, given.extractfile(member) if member.isreg() else None)
    restore(tmp_path / "t.tar.gz", tmp_path / "new", quiet)
    assert (tmp_path / "new/secrets/variables.key").stat().st_mtime == 0


def test_a_sparse_file_is_refused(made: Path, tmp_path: Path) -> None:
    """A few bytes of it stand for as many as it likes."""
    with tarfile.open(made) as given, tarfile.open(tmp_path / "t.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member in given:
            if member.name == "secrets/variables.key":
                member.pax_headers = {"GNU.sparse.map": "0,6", "GNU.sparse.size": str(1 << 40)}
            tar.addfile(member, given.extractfile(member) if member.isreg() else None)
    with pytest.raises(NotABackup):
        restore(tmp_path / "t.tar.gz", tmp_path / "new", quiet)
    assert list((tmp_path / "new").iterdir()) == []


def test_whatever_is_changed_in_the_file_is_refused_or_makes_no_difference(made: Path, tmp_path: Path) -> None:
    plain, chance, before = gzip.decompress(made.read_bytes()), random.Random(3), None
    restore(made, tmp_path / "whole", quiet)
    before = {name: told for name, (_, told) in tree(tmp_path / "whole").items()}
    for number in range(300):
        bad = bytearray(plain)
        for _ in range(chance.choice((1, 1, 3))):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        (tmp_path / "bad.tar.gz").write_bytes(gzip.compress(bytes(bad), 1))
        place = tmp_path / f"r{number}"
        try:
            restore(tmp_path / "bad.tar.gz", place, quiet)
        except Problem:
            assert not place.exists() or list(place.iterdir()) == []
        else:  # a mode or a time is in no checksum
            assert {name: told for name, (_, told) in tree(place).items()} == before


def test_a_deep_one_that_is_damaged_leaves_nothing(data: Path, tmp_path: Path) -> None:
    deep = str(data / "environments/python/3.11.7/k1/lib")
    for _ in range(sys.getrecursionlimit()):
        deep += "/a"
        os.mkdir(deep)  # noqa: PTH102
    made = back_up(settings(data), tmp_path / "b.tar.gz", quiet).path
    evil = packed(tmp_path / "evil.tar.gz", changed("secrets/variables.key", b"mine!!")(members_of(made)))
    with pytest.raises(NotABackup):
        restore(evil, tmp_path / "new", quiet)
    assert list((tmp_path / "new").iterdir()) == []
    assert remove_tree(data)


def test_a_disk_that_gives_up_half_way_leaves_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not a half of it that a server would start with."""
    real, count = Path.rename, []

    def failing(path: Path, target: Path) -> Path:
        count.append(path)
        if len(count) == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, target)

    monkeypatch.setattr(restoring.Path, "rename", failing)
    with pytest.raises(CannotRestore, match="Input/output error"):
        restore(made, tmp_path / "new", quiet)
    assert len(count) > 3
    assert list((tmp_path / "new").iterdir()) == []


DYING = """
import os, signal, sys
from pathlib import Path
from rostra.app.restore import restore
real, left = Path.rename, int(sys.argv[3])
def dying(path, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, target)
Path.rename = dying
restore(Path(sys.argv[1]), Path(sys.argv[2]), print)
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A data folder's path has little room."""
    with tempfile.TemporaryDirectory(prefix="r-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("renames", [0, 1, 3])
def test_nothing_starts_in_a_folder_where_a_restore_was_killed(made: Path, short_folder: Path, renames: int) -> None:
    """A server would take what is there without its records for left-overs, and remove it."""
    place = short_folder / "new"
    done = subprocess.run([sys.executable, "-c", DYING, made, place, str(renames)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(CannotServe, match="is not complete"):
        prepare(place)
    assert not (place / "run").exists()
    with pytest.raises(FolderInUse) as refused:
        restore(made, place, quiet)
    assert "was interrupted" in refused.value.hint
    for path in place.iterdir():
        assert remove_tree(path) if path.is_dir() else not path.unlink()
    restore(made, place, quiet)


def test_nothing_becomes_setuid(made: Path, tmp_path: Path) -> None:
    restore(packed(tmp_path / "s.tar.gz", members_of(made)), tmp_path / "new", quiet)
    assert {stat.S_IMODE(path.lstat().st_mode) & 0o7000 for path in (tmp_path / "new").rglob("*")} == {0}
