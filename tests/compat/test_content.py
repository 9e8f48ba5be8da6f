"""Looking after content with the client: describing, searching, downloading, building ahead of time, lock files."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support import interpreters
from support.publishing import Published
from support.server import BIN, Server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

SOURCE = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'looked after'\n"


@pytest.fixture(scope="module")
def desk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """One item that the tests here only look at."""
    folder = tmp_path_factory.mktemp("desk")
    return Publisher(server, folder).deploy(app(folder / "a", SOURCE), "flask", "--title", "Looked after", ".")


def content(server: Server, *words: str | Path, cwd: Path | None = None) -> str:
    return server.client("content", *words, "-n", "rostra", cwd=cwd).stdout


def found(server: Server, *words: str) -> set[str]:
    """Return the guids that a search finds."""
    return {row["guid"] for row in json.loads(content(server, "search", *words) or "[]")}


def test_one_item_and_several_are_described(publisher: Publisher, desk: Published) -> None:
    other = publisher.sample("html")
    rows = json.loads(content(publisher.server, "describe", "-g", desk.guid, "-g", other.guid))
    assert [row["app_mode"] for row in rows] == ["python-api", "static"]
    assert rows[0]["title"] == "Looked after"
    assert rows[0]["py_version"].startswith("3.")


def test_an_unknown_item_is_named(server: Server) -> None:
    words = ("content", "describe", "-n", "rostra", "-g", "00000000-0000-4000-8000-000000000000")
    done = server.client(*words, check=False)
    assert done.returncode == 1
    assert "Internal error" not in done.stdout + done.stderr


def test_content_is_searched(publisher: Publisher, desk: Published, tmp_path: Path) -> None:
    server, files = publisher.server, publisher.sample("html")
    draft = publisher.deploy(app(tmp_path / "a", SOURCE), "flask", "--draft", "--title", "Not published", ".")
    version = publisher.item(desk.guid)["py_version"]
    assert {desk.guid, files.guid} <= found(server, "--published")
    assert draft.guid not in found(server, "--published")
    assert draft.guid in found(server, "--unpublished")
    assert files.guid in found(server, "--content-type", "static")
    assert desk.guid not in found(server, "--content-type", "static")
    assert found(server, "--title-contains", "Looked") == {desk.guid}
    assert desk.guid in found(server, "--py-version", version)
    assert desk.guid in found(server, "--py-version", ">=3.9.0")
    assert desk.guid not in found(server, "--py-version", "<3.8.0")


@pytest.mark.parametrize("order", ["created", "last_deployed"])
def test_found_content_is_ordered(publisher: Publisher, desk: Published, order: str) -> None:
    publisher.sample("html")
    rows = json.loads(content(publisher.server, "search", "--order-by", order))
    times = [row["created_time" if order == "created" else "last_deployed_time"] for row in rows]
    assert times == sorted(times, reverse=True)


def test_every_bundle_can_be_downloaded(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", SOURCE)
    first = publisher.deploy(work, "flask", ".")
    earlier = publisher.item(first.guid)["bundle_id"]
    app(work, SOURCE.replace("looked after", "changed"))
    publisher.deploy(work, "flask", ".")
    for named, expected in ((first.guid, "changed"), (f"{first.guid},{earlier}", "looked after")):
        taken = tmp_path / f"{expected.replace(' ', '-')}.tar.gz"
        content(publisher.server, "download-bundle", "-g", named, "-o", taken)
        with tarfile.open(taken) as archive:
            assert {"manifest.json", "app.py", "requirements.txt"} <= set(archive.getnames())
            source = archive.extractfile("app.py")
            assert source is not None
            assert expected in source.read().decode()


def test_the_lock_file_names_what_was_installed(publisher: Publisher, desk: Published, tmp_path: Path) -> None:
    content(publisher.server, "get-lockfile", "-g", desk.guid, "-o", tmp_path / "locked.txt")
    locked = (tmp_path / "locked.txt").read_text().lower()
    assert "flask==" in locked
    assert "werkzeug==" in locked, "also what nobody asked for by name"


def test_a_lock_file_can_be_published(publisher: Publisher, desk: Published, tmp_path: Path) -> None:
    work = app(tmp_path / "a", SOURCE)
    content(publisher.server, "get-lockfile", "-g", desk.guid, "-o", work / "requirements.txt.lock")
    published = publisher.deploy(work, "flask", "-r", "requirements.txt.lock", ".")
    assert publisher.server.get(published.path).text == "looked after"


def test_an_environment_like_the_servers_is_made_at_home(publisher: Publisher, desk: Published, tmp_path: Path) -> None:
    minor = publisher.item(desk.guid)["py_version"].rpartition(".")[0]
    python = interpreters.minor(minor)
    assert python is not None
    path = f"{python.parent}:{BIN}:/usr/bin:/bin"
    words = ("content", "venv", "-n", "rostra", "-g", desk.guid, str(tmp_path / "like"))
    publisher.server.client(*words, cwd=tmp_path, variables={"PATH": path})
    asked = "import sys, flask; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([tmp_path / "like/bin/python", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == minor


class TestBuilding:
    """``content build``: the client keeps the list beside where it runs, the server builds."""

    def build(self, server: Server, folder: Path, *words: str) -> str:
        return content(server, "build", *words, cwd=folder)

    def test_several_items_are_built_ahead_of_time(self, publisher: Publisher, desk: Published, tmp_path: Path) -> None:
        server, other = publisher.server, publisher.sample("flask", "3.11")
        self.build(server, tmp_path, "add", "-g", desk.guid, "-g", other.guid)
        listed = json.loads(self.build(server, tmp_path, "ls"))
        assert {row["rsconnect_build_status"] for row in listed} == {"NEEDS_BUILD"}
        self.build(server, tmp_path, "run", "--parallelism", "2")
        listed = json.loads(self.build(server, tmp_path, "ls", "--status", "COMPLETE"))
        assert {row["guid"] for row in listed} == {desk.guid, other.guid}
        assert publisher.server.get(desk.path).text == "looked after"

    def test_what_was_built_can_be_read_again(self, publisher: Publisher, desk: Published, tmp_path: Path) -> None:
        server, folder = publisher.server, tmp_path
        self.build(server, folder, "add", "-g", desk.guid)
        self.build(server, folder, "run")
        assert len(json.loads(self.build(server, folder, "history", "-g", desk.guid))) == 1
        assert "Using Python" in self.build(server, folder, "logs", "-g", desk.guid)
        self.build(server, folder, "rm", "-g", desk.guid, "--purge")
        assert desk.guid not in self.build(server, folder, "ls")

    def test_an_earlier_bundle_is_built(self, publisher: Publisher, desk: Published, tmp_path: Path) -> None:
        live = publisher.item(desk.guid)["bundle_id"]
        self.build(publisher.server, tmp_path, "add", "-g", f"{desk.guid},{live}")
        self.build(publisher.server, tmp_path, "run", "--all")
        assert "COMPLETE" in self.build(publisher.server, tmp_path, "ls")
        assert publisher.item(desk.guid)["bundle_id"] == live

    def test_a_build_that_fails_is_said_to_have_failed(self, publisher: Publisher, tmp_path: Path) -> None:
        broken = app(tmp_path / "a", SOURCE, "no-such-package-anywhere-at-all\n")
        done = publisher.deploy(broken, "flask", ".", check=False)
        guid = max(publisher.server.ask("/__api__/v1/content"), key=lambda item: int(item["id"]))["guid"]
        bundle = publisher.bundles(guid)[0]["id"]
        assert done.code == 1
        self.build(publisher.server, tmp_path, "add", "-g", f"{guid},{bundle}")
        words = ("content", "build", "run", "-n", "rostra")
        assert publisher.server.client(*words, cwd=tmp_path, check=False).returncode == 1
        assert "ERROR" in self.build(publisher.server, tmp_path, "ls")
        assert "no-such-package-anywhere-at-all" in self.build(publisher.server, tmp_path, "logs", "-g", guid)
