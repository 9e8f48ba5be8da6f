"""A backup is whole or not there, is taken beside a busy server, and is for its owner alone."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from support.backups import data, made, quiet, settings, tree, write

from rostra.app import backup as module
from rostra.app.backup import (
    DATABASE,
    CannotBackUp,
    DatabaseDamaged,
    DatabaseElsewhere,
    NothingToBackUp,
    OutputTaken,
    back_up,
)
from rostra.app.restore import restore
from rostra.trees import remove_tree

__all__ = ["data", "made"]  # fixtures


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
