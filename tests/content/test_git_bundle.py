from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from rostra.content import git_bundle, unpack
from rostra.content.errors import BundleRefused
from rostra.content.git_bundle import NoManifest
from rostra.content.git_location import location

pytestmark = pytest.mark.anyio
PLACE = location("https://git.example.org/x", "main", "app")
TOLD = {
    "version": 1,
    "metadata": {"appmode": "static", "primary_html": "index.html"},
    "files": {"index.html": {"checksum": "0" * 32}, "gone.html": {"checksum": "1" * 32}, "plain": {}},
}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "tree.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return path


async def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    files = {"index.html": b"new", "manifest.json": json.dumps(TOLD).encode(), "plain": b"x"}
    packed = await git_bundle.pack(written(tmp_path, files), PLACE, most_files=10)
    found = await unpack.inspect(packed)
    sums = found.manifest.raw["files"]
    assert sums["index.html"]["checksum"] == hashlib.md5(b"new").hexdigest()
    assert (sums["gone.html"], sums["plain"]) == ({"checksum": "1" * 32}, {})
    assert set(found.layout.nodes) == set(files)


async def test_a_manifest_that_is_right_stays_as_it_is(tmp_path: Path) -> None:
    raw = b'{"version":1, "metadata":{"appmode":"static"}}'
    packed = await git_bundle.pack(written(tmp_path, {"manifest.json": raw}), PLACE, most_files=10)
    with tarfile.open(packed) as tar:
        found = tar.extractfile("manifest.json")
        assert found is not None
        assert found.read() == raw


async def test_without_a_manifest_it_is_said_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match="write-manifest"):
        await git_bundle.pack(written(tmp_path, {"sub/manifest.json": b"{}"}), PLACE, most_files=10)


async def test_too_many_files_are_refused(tmp_path: Path) -> None:
    files = {"manifest.json": b"{}"} | {str(n): b"" for n in range(10)}
    with pytest.raises(BundleRefused):
        await git_bundle.pack(written(tmp_path, files), PLACE, most_files=10)


@pytest.mark.parametrize("raw", [b"not json", b"[]", b'{"files": 3}', b'{"files": {"index.html": 3}}', b"[" * 100_000])
async def test_an_odd_manifest_is_left_to_the_judge(tmp_path: Path, raw: bytes) -> None:
    files = {"manifest.json": raw, "index.html": b"x"}
    assert (await git_bundle.pack(written(tmp_path, files), PLACE, most_files=10)).exists()


async def test_a_link_in_place_of_the_archive_is_not_followed(tmp_path: Path) -> None:
    real = written(tmp_path, {"manifest.json": b"{}"})
    link = tmp_path / "link.tar"
    link.symlink_to(real)
    with pytest.raises(OSError, match="symbolic links"):
        await git_bundle.pack(link, PLACE, most_files=10)


async def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.tar"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(BundleRefused):
        await git_bundle.pack(path, PLACE, most_files=10)
