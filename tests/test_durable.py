from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rostra.durable import publish, rewrite


def test_what_is_published_stands_whole_under_its_name_alone(tmp_path: Path) -> None:
    finished, output = tmp_path / "scratch", tmp_path / "page"
    (finished / "below").mkdir(parents=True)
    (finished / "below" / "index.html").write_text("made")
    publish(finished, output)
    assert (output / "below" / "index.html").read_text() == "made"
    assert not finished.exists()


def test_what_is_neither_file_nor_folder_holds_nobody_up(tmp_path: Path) -> None:
    finished = tmp_path / "scratch"
    finished.mkdir()
    os.mkfifo(finished / "pipe")
    (finished / "nowhere").symlink_to(tmp_path / "gone")
    publish(finished, tmp_path / "page")
    assert (tmp_path / "page").is_dir()


DYING = """
import os, signal, sys
from pathlib import Path
from rostra import durable
def dying(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(*{"write": (durable.os, "fsync", dying), "rename": (Path, "rename", dying)}[sys.argv[2]])
durable.rewrite(Path(sys.argv[1]), "new" * 100_000)
"""


@pytest.mark.parametrize("step", ["write", "rename"])
def test_a_file_is_rewritten_whole_or_not_at_all(tmp_path: Path, step: str) -> None:
    file = tmp_path / "rostra.gcfg"
    file.write_text("old")
    done = subprocess.run([sys.executable, "-c", DYING, file, step], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    rewrite(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file], "what was left is gone"


def test_a_rewritten_file_keeps_its_mode_and_the_link_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "real.gcfg", tmp_path / "rostra.gcfg"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    rewrite(link, "new")
    assert link.is_symlink()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_file_whose_place_cannot_be_taken_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a container has mounted."""

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    file = tmp_path / "rostra.gcfg"
    file.write_text("old")
    monkeypatch.setattr(Path, "rename", busy)
    rewrite(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]
