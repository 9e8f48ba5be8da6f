from __future__ import annotations

import os
from pathlib import Path

from rostra.durable import publish


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
