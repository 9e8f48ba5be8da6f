import threading
from pathlib import Path

import anyio
import pytest

from rostra.content import disk

pytestmark = pytest.mark.anyio


async def test_long_work_never_makes_short_work_wait() -> None:
    go_on = threading.Event()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(lambda: disk.in_thread(lambda _: go_on.wait(10), long=True))
        with anyio.fail_after(5):
            assert await disk.in_thread(lambda _: 7) == 7
        go_on.set()


async def test_an_error_comes_through_as_it_is() -> None:
    with pytest.raises(FileNotFoundError):
        await disk.in_thread(lambda _: Path("/nowhere/at/all").read_bytes())


async def test_read_only_folders_are_removed_and_links_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "tree" / "a"
    outside.mkdir()
    (outside / "precious").write_text("x")
    inside.mkdir(parents=True)
    (inside / "file").write_text("x")
    (inside / "link").symlink_to(outside)
    inside.chmod(0o500)
    (tmp_path / "link").symlink_to(outside)
    await disk.remove_all([tmp_path / "tree", tmp_path / "link", tmp_path / "missing"])
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "precious").exists()


def test_folders_are_made_all_the_way(tmp_path: Path) -> None:
    disk.make_folders(tmp_path / "a" / "b" / "c")
    disk.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
