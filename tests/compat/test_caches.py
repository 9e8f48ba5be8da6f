"""Runtime caches: what is deleted is built anew on the next visit. A server of its own, since it is emptied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support import interpreters
from support.server import Server, running_server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("caches")]

SOURCE = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'here again'\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    paths = [path for minor in ("3.9", "3.11") if (path := interpreters.minor(minor))]
    if len(paths) < 2:
        pytest.skip("no Python 3.9 or no 3.11 on this machine")
    with running_server(tmp_path_factory.mktemp("caches"), paths) as started:
        yield started


def caches(server: Server) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(server.client("system", "caches", "list", "-n", "rostra").stdout)["caches"]
    return found


def delete(server: Server, version: str, *more: str, check: bool = True) -> tuple[int, str]:
    words = ("system", "caches", "delete", "-n", "rostra", "--language", "Python", "--version", version, *more)
    done = server.client(*words, check=check)
    return done.returncode, done.stdout + done.stderr


def publish(own: Server, folder: Path, minor: str) -> tuple[str, str]:
    """Publish an item on ``minor``; return its path and its exact version."""
    publisher, work = Publisher(own, folder), app(folder / minor, SOURCE)
    (work / ".python-version").write_text(f"~={minor}.0\n")
    published = publisher.deploy(work, "flask", ".")
    return published.path, str(publisher.item(published.guid)["py_version"])


def test_caches_are_listed_tried_deleted_and_made_again(own: Server, tmp_path: Path) -> None:
    assert caches(own) == []
    path, version = publish(own, tmp_path, "3.9")
    other_path, other = publish(own, tmp_path, "3.11")
    rows = [{"language": "Python", "version": one, "image_name": "Local"} for one in (version, other)]
    assert caches(own) == rows

    delete(own, version, "--dry-run")
    assert caches(own) == rows, "a dry run deletes nothing"

    delete(own, version)
    assert caches(own) == rows[1:]
    assert own.get(path).text == "here again", "it is built anew on the next visit"
    assert own.get(other_path).text == "here again"
    assert caches(own) == rows


def test_a_cache_that_is_not_there_is_named(own: Server) -> None:
    code, said = delete(own, "2.7.18", check=False)
    assert code == 1
    assert "2.7.18" in said
