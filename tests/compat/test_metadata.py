"""Where a bundle came from: what the client reads from a git checkout is kept with the bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support.server import BIN, client_environment

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

PLAIN = "def app(environ, start):\n    start('200 OK', [])\n    return [b'plain']\n"


@pytest.fixture
def checkout(publisher: Publisher, tmp_path: Path) -> Path:
    """A project under version control, with a remote address as authors have it."""
    work = app(tmp_path / "project", PLAIN, "")
    (work / ".gitignore").write_text("rsconnect-python/\n")
    git(publisher, work, "init", "--quiet", "--initial-branch", "main")
    git(publisher, work, "add", ".")
    git(publisher, work, "commit", "--quiet", "--message", "Begin")
    git(publisher, work, "remote", "add", "origin", "git@git.example:ada/desk.git")
    return work


def git(publisher: Publisher, work: Path, *words: str) -> str:
    environ = client_environment(publisher.server.home, BIN / "rsconnect")
    return subprocess.run(["git", *words], cwd=work, env=environ, capture_output=True, text=True, check=True).stdout


def test_a_checkout_says_where_it_is_from(publisher: Publisher, checkout: Path) -> None:
    published = publisher.deploy(checkout, "api", ".")
    commit = git(publisher, checkout, "rev-parse", "HEAD").strip()
    known = publisher.bundles(published.guid)[0]["metadata"]
    assert known["source"] == "git"
    assert known["source_repo"].startswith("https://git.example/ada/desk")
    assert (known["source_branch"], known["source_commit"]) == ("main", commit)
    (checkout / "app.py").write_text(PLAIN.replace("plain", "changed"))
    publisher.deploy(checkout, "api", ".")
    assert publisher.bundles(published.guid)[0]["metadata"]["source_commit"] == f"{commit}-dirty"
    assert publisher.bundles(published.guid)[1]["metadata"]["source_commit"] == commit
    assert publisher.server.get(published.path).text == "changed"


def test_an_author_says_more_and_less(publisher: Publisher, checkout: Path) -> None:
    told = ("--metadata", "ticket=R-7", "--metadata", "source_branch=")
    published = publisher.deploy(checkout, "api", *told, ".")
    known = publisher.bundles(published.guid)[0]["metadata"]
    assert known["ticket"] == "R-7"
    assert not known["source_branch"]
    silent = publisher.deploy(checkout, "api", "--new", "--no-metadata", ".")
    assert publisher.bundles(silent.guid)[0]["metadata"]["source"] is None
