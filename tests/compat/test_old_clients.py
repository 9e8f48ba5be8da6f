"""Clients of earlier years publish, and publish again; each release runs in an environment of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support import clients, interpreters
from support.publishing import ROOT
from support.server import Server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

GREETS = """
import os, sys
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return "{} %s %s" % (os.environ.get("NAME", "nobody"), ".".join(map(str, sys.version_info[:2])))
"""
# release: the Python it runs on, what else it needs by now, whether it can set variables
RELEASES = {
    "1.32.0": ("3.13", (), True),
    "1.28.0": ("3.11", (), True),
    "1.26.0": ("3.11", (), True),
    "1.24.0": ("3.11", (), True),
    "1.15.0": ("3.11", (), True),
    "1.5.4": ("3.9", ("setuptools<80",), False),
}
OLDEST, OLDEST_PYTHON, OLDEST_NEEDS = "1.3.0.7", "3.9", ("setuptools<80", "click<8", "pip")


@dataclass(frozen=True, slots=True)
class Old:
    """One release of the client, set up for the server as ``rostra``."""

    server: Server
    program: Path

    def run(self, *words: str | Path, cwd: Path | None = None) -> str:
        done = self.server.client(*words, cwd=cwd, program=self.program)
        return done.stdout + done.stderr


def installed(server: Server, config: pytest.Config, release: str, minor: str, *packages: str) -> Old:
    python = interpreters.minor(minor)
    if python is None:
        pytest.skip(f"no Python {minor} on this machine")
    return Old(server, clients.client(config.cache.mkdir("clients"), release, python, *packages))


def newest_item(server: Server) -> dict[str, str]:
    """Old clients do not name what they made in one way; the server's own list does."""
    found: list[dict[str, str]] = server.ask("/__api__/v1/content")
    return max(found, key=lambda item: int(item["id"]))


@pytest.mark.parametrize("release", RELEASES)
def test_an_earlier_release_publishes_and_publishes_again(
    publisher: Publisher, pytestconfig: pytest.Config, tmp_path: Path, release: str
) -> None:
    minor, packages, variables = RELEASES[release]
    server = publisher.server
    old = installed(server, pytestconfig, release, minor, *packages)
    address = ("-s", server.url, "-k", server.key)
    work = app(tmp_path / "a", GREETS.format("first"))
    told = ("-E", f"NAME=ada-{release}") if variables else ()
    who = f"ada-{release}" if variables else "nobody"
    old.run("deploy", "api", *address, *told, "--title", f"Greetings {release}", work)
    item = newest_item(server)
    assert item["title"] == f"Greetings {release}"
    assert server.get(f"/content/{item['guid']}/").text == f"first {who} {minor}"
    app(work, GREETS.format("second"))
    old.run("deploy", "api", *address, work)
    assert newest_item(server)["guid"] == item["guid"], "the same item was published again"
    assert server.get(f"/content/{item['guid']}/").text == f"second {who} {minor}"


@pytest.mark.parametrize("release", ["1.24.0", "1.5.4"])
def test_an_earlier_release_is_told_why(
    publisher: Publisher, pytestconfig: pytest.Config, tmp_path: Path, release: str
) -> None:
    minor, packages, _ = RELEASES[release]
    server = publisher.server
    old = installed(server, pytestconfig, release, minor, *packages)
    work = app(tmp_path / "a", GREETS.format("first"), "no-such-package-anywhere-at-all\n")
    done = server.client("deploy", "api", "-s", server.url, "-k", server.key, work, program=old.program, check=False)
    assert done.returncode == 1
    assert "Error" in done.stdout + done.stderr
    assert "no-such-package-anywhere-at-all" in done.stdout + done.stderr


@pytest.mark.parametrize("by", ["guid", "id"])
def test_an_earlier_release_names_an_item_both_ways(
    publisher: Publisher, pytestconfig: pytest.Config, tmp_path: Path, by: str
) -> None:
    server = publisher.server
    old = installed(server, pytestconfig, "1.24.0", "3.11")
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("first")), "flask", ".")
    work = app(tmp_path / "b", GREETS.format("second"))
    named = str(publisher.item(first.guid)[by])
    old.run("deploy", "api", "-s", server.url, "-k", server.key, "--app-id", named, work)
    assert server.get(first.path).text.startswith("second")


@pytest.fixture
def oldest(server: Server, pytestconfig: pytest.Config) -> Old:
    return installed(server, pytestconfig, OLDEST, OLDEST_PYTHON, *OLDEST_NEEDS)


def test_the_oldest_release_that_installs_can_test_and_add(oldest: Old) -> None:
    oldest.run("test", "-s", oldest.server.url)
    oldest.run("add", "-n", "oldest", "-s", oldest.server.url, "-k", oldest.server.key)


def test_the_oldest_release_publishes_a_manifest_again_and_again(oldest: Old, tmp_path: Path) -> None:
    server, address = oldest.server, ("-s", oldest.server.url, "-k", oldest.server.key)
    work = app(tmp_path / "a", GREETS.format("first"))
    oldest.run("deploy", "manifest", *address, "--title", "From the oldest", manifest(work, OLDEST_PYTHON))
    item = newest_item(server)
    assert item["title"] == "From the oldest"
    assert server.get(f"/content/{item['guid']}/").text == "first nobody 3.9"
    app(work, GREETS.format("second"))
    oldest.run("deploy", "manifest", *address, manifest(work, OLDEST_PYTHON))
    assert newest_item(server)["guid"] == item["guid"]
    assert server.get(f"/content/{item['guid']}/").text == "second nobody 3.9"


def test_the_oldest_release_publishes_a_notebook(oldest: Old, tmp_path: Path) -> None:
    server, address = oldest.server, ("-s", oldest.server.url, "-k", oldest.server.key)
    work = tmp_path / "notebook"
    shutil.copytree(ROOT / "samples" / "notebook", work)
    oldest.run("deploy", "notebook", *address, "--title", "From the oldest, rendered", work / "report.ipynb")
    item = newest_item(server)
    assert item["app_mode"] == "jupyter-static"
    assert "Rendered by Python 3.9." in server.get(f"/content/{item['guid']}/").text


def manifest(work: Path, minor: str) -> Path:
    """Write the manifest its author's own tools would have written."""
    python = interpreters.minor(minor)
    assert python is not None
    version = next(version for version, path in interpreters.installed().items() if path == python)
    sources = (work / "app.py", work / "requirements.txt")
    files = {path.name: {"checksum": hashlib.md5(path.read_bytes()).hexdigest()} for path in sources}
    written = work / "manifest.json"
    written.write_text(
        json.dumps(
            {
                "version": 1,
                "metadata": {"appmode": "python-api", "entrypoint": "app"},
                "python": {
                    "version": version,
                    "package_manager": {"name": "pip", "version": "20.0.2", "package_file": "requirements.txt"},
                },
                "files": files,
            }
        )
    )
    return written
