"""Scratch places, read-only trees, and renames."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rostra.environments.folders import leftovers, publish, read_plain, scratch, seal, write_new
from rostra.trees import remove_tree


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True, mode=0o700)
    (root / "bin" / "run").write_text("#!/bin/sh\n")
    (root / "bin" / "run").chmod(0o700)
    (root / "data").write_text("12345")
    (root / "data").chmod(0o600)
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").chmod(0o600)
    (root / "link").symlink_to(tmp_path / "outside")
    return root


def test_sealing_lets_all_read_and_nobody_write(tree: Path) -> None:
    assert seal(tree, shared=False) == len("#!/bin/sh\n") + 5
    assert (mode(tree / "bin"), mode(tree / "bin" / "run"), mode(tree / "data")) == (0o555, 0o555, 0o444)
    assert mode(tree) == 0o755, "or it could not be renamed"


def test_sealing_does_not_follow_links(tree: Path) -> None:
    seal(tree, shared=False)
    assert mode(tree.parent / "outside") == 0o600


def test_a_sealed_tree_can_be_removed_and_nothing_else_is(tree: Path) -> None:
    seal(tree, shared=False)
    remove_tree(tree)
    assert not tree.exists()
    assert (tree.parent / "outside").exists()
    remove_tree(tree)


@pytest.mark.anyio
async def test_a_scratch_place_ends_with_its_block(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with scratch(tmp_path / "new") as place:
            (place / "deep").mkdir()
            assert leftovers(tmp_path / "new") == [place]
            raise RuntimeError
    assert leftovers(tmp_path / "new") == []


def test_publishing_renames_once(tree: Path) -> None:
    final = tree.parent / "final"
    assert publish(tree, final)
    assert mode(final) == 0o555
    (tree / "other").mkdir(parents=True)
    assert not publish(tree, final)
    assert not (final / "other").exists()


def test_writing_replaces_a_planted_link(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "outside")
    write_new(tmp_path / "file", "ours")
    assert (tmp_path / "outside").read_text() == "precious"
    assert (tmp_path / "file").read_text() == "ours"


def test_reading_refuses_links_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing"):
        with pytest.raises(OSError):  # noqa: PT011
            read_plain(tmp_path / name)
    assert read_plain(tmp_path / "outside", 4) == "prec"
