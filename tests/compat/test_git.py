"""Content from Git by the unmodified client and by the SDK, against a real server and git's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import git_server, interpreters
from support.git_server import GitServer, Remote
from support.server import Server, running_server
from support.watching import contents_below

from rostra.config.sections import Settings
from rostra.content.git import find

pytestmark = [
    pytest.mark.compat,
    pytest.mark.server,
    pytest.mark.skipif(find(Settings()) is None, reason="git is not installed"),
]
PASSWORD = "s3cret-of-git"
APP = """\
import os, flask
app = flask.Flask(__name__)

@app.get("/")
def home():
    return "from git"

@app.get("/search")
def search():
    found = []
    for folder, _, names in os.walk("/proc"):
        for name in names:
            if name in ("environ", "cmdline"):
                try:
                    with open(os.path.join(folder, name), "rb") as file:
                        if b"s3cret-of" + b"-git" in file.read():
                            found.append(os.path.join(folder, name))
                except OSError:
                    pass
    return {"found": found, "variables": [name for name, value in os.environ.items() if "s3cret-of" + "-git" in value]}
"""
MANIFEST: dict[str, Any] = {
    "version": 1,
    "locale": "en_US.UTF-8",
    "metadata": {"appmode": "python-api", "entrypoint": "app:app"},
    "python": {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
    "files": {"app.py": {"checksum": "0" * 32}, "requirements.txt": {"checksum": "0" * 32}},
}


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server.serving(tmp_path_factory.mktemp("git"), ("ada", PASSWORD)) as made:
        yield made


@pytest.fixture(scope="module")
def rostra(tmp_path_factory: pytest.TempPathFactory, git: GitServer) -> Iterator[Server]:
    path = interpreters.minor("3.11")
    if path is None:
        pytest.skip("no Python 3.11 on this machine")
    account = f"Host = 127.0.0.1:{git.port}\nUsername = ada\nPassword = {PASSWORD}\nProtocol = http\n"
    extra = f'[Git]\nPollingInterval = 1s\n[GitCredential "tests"]\n{account}'
    with running_server(tmp_path_factory.mktemp("rostra"), [path], extra) as server:
        yield server


@pytest.fixture(scope="module")
def remote(git: GitServer) -> Remote:
    made = git.remote("flask-app")
    made.commit(api__app_dot_py=APP, api__requirements_dot_txt="flask\n", api__manifest_dot_json=MANIFEST)
    return made


def test_the_client_deploys_from_a_private_repository(rostra: Server, remote: Remote, tmp_path: Path) -> None:
    words = ("deploy", "git", "-n", "rostra", "--repository", remote.url, "--branch", "main", "--subdirectory", "api")
    done = rostra.client(*words, "--title", "From Git", cwd=tmp_path)
    (item,) = [one for one in rostra.ask("/__api__/v1/content") if one["title"] == "From Git"]
    assert "Fetching main" in done.stdout + done.stderr
    assert rostra.get(f"/content/{item['guid']}/").text == "from git"
    shown = json.loads(rostra.client("content", "repository", "show", "-n", "rostra", "-g", item["guid"]).stdout)
    assert (shown["repository"], shown["directory"], shown["last_error"]) == (remote.url, "api", None)

    # Nothing of the account is where content, or anybody who reads the data folder, could find it.
    assert rostra.ask(f"/content/{item['guid']}/search") == {"found": [], "variables": []}
    for path, raw in contents_below(rostra.data_dir):
        assert PASSWORD.encode() not in raw, path
    assert PASSWORD not in rostra.log_text()

    # A commit that is pushed is live a moment later; an earlier one can be had again.
    first = git_server.git(remote.clone, "rev-parse", "HEAD")
    remote.commit(api__app_dot_py=APP.replace("from git", "pushed"))
    for _ in range(600):
        if rostra.get(f"/content/{item['guid']}/").text == "pushed":
            break
        rostra.ask(f"/__api__/v1/content/{item['guid']}")
    assert rostra.get(f"/content/{item['guid']}/").text == "pushed"
    rostra.ask(f"/__api__/v1/content/{item['guid']}/repository", "PATCH", {"polling": False})
    again = ("content", "repository", "redeploy", "-n", "rostra", "-g", item["guid"], "--ref", first)
    rostra.client(*again)
    bundles = rostra.ask(f"/__api__/v1/content/{item['guid']}/bundles")
    assert bundles[0]["metadata"]["source_commit"] == first
