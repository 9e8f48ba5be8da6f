"""Folders that somebody else filled are removed whatever they look like, and nothing beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rostra.trees import remove_tree, walk


def _deep(top: Path, levels: int) -> None:
    """Make folders in one another, as a program can that goes down with them: the path may be too long to be named."""
    top.mkdir(parents=True)
    here = os.open(top, os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("a-name", dir_fd=here)
        below = os.open("a-name", os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_deeper_than_calls_and_paths_may_be(tmp_path: Path) -> None:
    levels = sys.getrecursionlimit() + 200
    _deep(tmp_path / "tree", levels)
    assert remove_tree(tmp_path / "tree")
    assert not list(tmp_path.iterdir())


def test_what_may_not_be_written_goes_too(tmp_path: Path) -> None:
    inner = tmp_path / "tree/one/two"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    for folder in (inner, inner.parent):
        folder.chmod(0o000)
    assert remove_tree(tmp_path / "tree")


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o755)
    (kept / "file").touch()
    tree = tmp_path / "tree/one"
    tree.mkdir(parents=True)
    (tree / "link").symlink_to(kept)
    (tree.parent / "top").symlink_to(kept)
    assert remove_tree(tree.parent)
    assert (kept / "file").exists()
    (tmp_path / "link").symlink_to(kept)
    assert not remove_tree(tmp_path / "link")
    assert (kept / "file").exists()
    assert kept.stat().st_mode & 0o777 == 0o755


def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    assert remove_tree(tmp_path / "nothing")


def test_a_walk_goes_deeper_than_calls_may(tmp_path: Path) -> None:
    levels = sys.getrecursionlimit() + 200
    top = tmp_path / "tree"
    top.mkdir()
    for level in range(1, levels + 1):
        os.mkdir(str(top) + "/a" * level)  # noqa: PTH102
    assert len(list(walk(top))) == levels + 1
    assert remove_tree(top)
