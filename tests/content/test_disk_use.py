from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from rostra.content.disk_use import FRESH, DiskUse, measure

NOW = dt.datetime(2026, 9, 7, tzinfo=dt.UTC)
BLOCK = 4096


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "renderings" / "one" / "1" / "index.html", 3)
    write(tmp_path / "renderings" / "two" / "2" / "index.html", 1)
    write(tmp_path / "jobs" / "one" / "k.log", 2)
    write(tmp_path / "environments" / "python" / "3.11.7" / "key" / "a.py", 4)
    (tmp_path / "rostra.db").write_bytes(b"x")
    return tmp_path


def write(path: Path, blocks: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(blocks * BLOCK))


def test_folders_and_items_are_counted(data: Path) -> None:
    found = measure(data, NOW)
    assert found.folders == {"environments": 4 * BLOCK, "jobs": 2 * BLOCK, "renderings": 4 * BLOCK}
    assert found.items["renderings"] == {"one": 3 * BLOCK, "two": BLOCK}
    assert found.items["jobs"] == {"one": 2 * BLOCK}
    assert found.items["apps"] == {}
    assert found.complete


def test_a_file_with_two_names_counts_once_in_a_folder_and_in_each_of_two(data: Path) -> None:
    (data / "environments" / "again.py").hardlink_to(data / "environments" / "python" / "3.11.7" / "key" / "a.py")
    (data / "cache").mkdir()
    (data / "cache" / "a.py").hardlink_to(data / "environments" / "again.py")
    folders = measure(data, NOW).folders
    assert (folders["environments"], folders["cache"]) == (4 * BLOCK, 4 * BLOCK)


def test_links_lead_nowhere(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other / "large", 10)
    (data / "linked").symlink_to(other)
    (data / "renderings" / "linked").symlink_to(other)
    (data / "jobs" / "one" / "linked").symlink_to(other / "large")
    found = measure(data, NOW)
    assert "linked" not in found.folders
    assert "linked" not in found.items["renderings"]
    assert found.folders["jobs"] <= 3 * BLOCK


def test_counting_ends_and_says_so(data: Path) -> None:
    for number in range(20):
        write(data / "cache" / f"d{number}" / "file", 1)
    found = measure(data, NOW, most_files=5)
    assert not found.complete
    assert found.folders["cache"] < 20 * BLOCK


@pytest.mark.anyio
async def test_it_is_counted_again_when_it_is_old(data: Path) -> None:
    use = DiskUse()
    first = await use.measured(data, NOW)
    write(data / "jobs" / "one" / "more.log", 5)
    assert await use.measured(data, NOW + FRESH / 2) is first
    later = await use.measured(data, NOW + FRESH)
    assert later.folders["jobs"] == first.folders["jobs"] + 5 * BLOCK
