"""What is restored is whole or not there, and a hostile backup writes nothing elsewhere."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.backups import data, made, quiet, settings, tree, write

from rostra.app import restore as restoring
from rostra.app.backup import (
    DATABASE,
    HEAD,
    SUMS,
    back_up,
)
from rostra.app.restore import BackupMissing, CannotRestore, FolderInUse, NotABackup, restore
from rostra.errors import Problem
from rostra.server.places import CannotServe, prepare
from rostra.trees import remove_tree

__all__ = ["data", "made"]  # fixtures


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
