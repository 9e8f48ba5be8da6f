"""Bundles as the unmodified publishing client makes them."""

import json
from pathlib import Path

import pytest
from rsconnect.bundle import make_html_bundle, make_manifest_bundle

from rostra.content import unpack
from rostra.content.errors import ChecksumMismatch

pytestmark = pytest.mark.anyio


def project(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "app.py").write_text("app = 1\n")
    (folder / "data" / "été.csv").write_text("1;2\n")
    (folder / "link.csv").symlink_to("data/été.csv")
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-api", "entrypoint": "app"},
        "files": {
            "app.py": {"checksum": "a8b0d3bd4ff3ae6d6cf4e3b07ae6f3a7"},
            "data/été.csv": {"checksum": ""},
            "link.csv": {"checksum": ""},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


def write(folder: Path, archive: object) -> Path:
    path = folder / "sent.tar.gz"
    path.write_bytes(archive.read())  # type: ignore[attr-defined]
    return path


async def test_a_page(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<p>hello")
    with make_html_bundle(str(tmp_path / "site"), "index.html", [], []) as made:
        contents = await unpack.inspect(write(tmp_path, made))
    assert (contents.manifest.app_mode, contents.manifest.primary_html) == ("static", "index.html")
    assert "index.html" in contents.layout.nodes


async def test_a_project_with_a_link_and_an_accent(tmp_path: Path) -> None:
    manifest = project(tmp_path / "project")
    said = json.loads(manifest.read_text())
    said["files"]["app.py"]["checksum"] = ""
    manifest.write_text(json.dumps(said))
    with make_manifest_bundle(str(manifest)) as made:
        archive = write(tmp_path, made)
    await unpack.unpack(archive, tmp_path / "apps" / "1")
    assert (tmp_path / "apps" / "1" / "link.csv").read_text() == "1;2\n"


async def test_a_manifest_older_than_its_files_is_told_to_be_written_again(tmp_path: Path) -> None:
    with make_manifest_bundle(str(project(tmp_path / "project"))) as made:
        archive = write(tmp_path, made)
    with pytest.raises(ChecksumMismatch, match="write-manifest"):
        await unpack.inspect(archive)
