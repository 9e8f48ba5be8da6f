"""``kill -9`` while a repository is polled: during the fetch, and during the deploy of what was fetched.

Whatever the moment: visitors keep the version they had, the poll happens after the start, each commit becomes one
bundle, and no folder, process or task of the interrupted poll is left.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import git_server, interpreters
from support.aftermath import complaints
from support.direct import Direct, new_item, source
from support.git_server import GitServer, Remote
from support.server import Server, running_server
from support.watching import kill, replaced, until, within

from rostra.config.sections import Settings
from rostra.content.git import find

pytestmark = [
    pytest.mark.fault,
    pytest.mark.server,
    pytest.mark.interpreters,
    pytest.mark.xdist_group("fault"),
    pytest.mark.skipif(find(Settings()) is None, reason="git is not installed"),
]

SLOW_START = "\nimport time; time.sleep(5)\n"  # so that the deploy is surely going on when the server is killed
MANIFEST = {
    "version": 1,
    "locale": "en_US.UTF-8",
    "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
    "files": {"app.py": {"checksum": "0" * 32}, "requirements.txt": {"checksum": "0" * 32}},
}


@dataclass
class World:
    server: Server
    git: GitServer
    remote: Remote
    item: Direct
    python: str

    def push(self, version: str, more: str = "") -> str:
        python = {"version": self.python, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
        return self.remote.commit(
            app_dot_py=source(version, more), requirements_dot_txt="", manifest_dot_json={**MANIFEST, "python": python}
        )

    def repository(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.ask(f"{self.item.api}/repository")
        return found

    def commits(self) -> list[str]:
        """Return the commit of each bundle, newest first."""
        return [bundle["metadata"]["source_commit"] for bundle in self.server.ask(f"{self.item.api}/bundles")]

    def version(self) -> str:
        with contextlib.suppress(OSError, AssertionError):
            return str(self.item.told()["version"])
        return "none"

    def end(self, what: str) -> None:
        if what == "server":
            self.server.kill()
            self.server.start()
            return
        old = self.server.children()[what]
        kill([old])
        until(replaced(self.server, what, old), within(30), f"{what} does not come back")
        until(self._answers, within(30), "the server does not answer")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.server.get("/__api__/v1/user").status == 200
        return False

    def check(self, version: str, commit: str) -> None:
        """Check that the commit is live and nothing of how it became so is left."""
        until(lambda: self.version() == version, within(120), f"{version} does not become live: {self.said()}")
        until(lambda: self.repository()["last_known_commit"] == commit, within(60), f"not noted: {self.said()}")
        self.server.ask(f"{self.item.api}/repository", "PATCH", {"polling": False})
        until(lambda: not complaints(self.server), within(60), str(complaints(self.server)))
        until(lambda: not self.left(), within(30), str(self.left()))
        assert self.repository()["last_error"] is None
        assert self.commits().count(commit) == 1, "the same commit was bundled twice"
        self.server.ask(f"{self.item.api}/repository", "PATCH", {"polling": True})

    def left(self) -> list[Path]:
        """Return what builds and fetches have in their folder; nothing runs now."""
        return list((self.server.data_dir / "run" / "builds").iterdir())

    def said(self) -> str:
        return f"{json.dumps(self.repository())}\n--- log\n{self.server.log_text()[-4000:]}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    extra = "[Git]\nPollingInterval = 1s\n"
    with (
        git_server.serving(tmp_path_factory.mktemp("git")) as git,
        running_server(tmp_path_factory.mktemp("s"), [Path(python)], extra) as server,
    ):
        (offered,) = server.ask("/__api__/v1/server_settings/python")["installations"]
        made = World(server, git, git.remote(), new_item(server), offered["version"])
        made.push("first")
        there = {"repository": made.remote.url, "branch": "main", "polling": True}
        server.ask(f"{made.item.api}/repository", "PUT", there)
        done = server.wait_for(server.ask(f"{made.item.api}/deploy", "POST", {})["task_id"])
        assert done["code"] == 0, done
        assert made.version() == "first"
        yield made


@pytest.mark.parametrize("what", ["server", "control"])
def test_a_fetch_that_was_killed_happens_again(world: World, what: str) -> None:
    before = world.version()
    world.git.held.clear()
    world.git.go_on.clear()
    world.git.hold = True
    commit = world.push(f"fetched after the end of {what}")
    assert world.git.held.wait(within(60)), "nothing is fetched"
    assert world.left(), "the fetch has a folder of its own"
    world.end(what)
    assert world.version() == before
    assert commit not in world.commits(), "half a fetch became a bundle"
    world.git.go_on.set()
    world.check(f"fetched after the end of {what}", commit)


@pytest.mark.parametrize("what", ["server", "control"])
def test_a_deploy_of_a_poll_that_was_killed_goes_on_with_the_same_bundle(world: World, what: str) -> None:
    before = world.version()
    commit = world.push(f"deployed after the end of {what}", SLOW_START)
    until(lambda: commit in world.commits(), within(60), f"no bundle: {world.said()}")
    assert world.repository()["last_known_commit"] != commit, "it is noted only when it is live"
    world.end(what)
    assert world.version() in (before, f"deployed after the end of {what}")
    world.check(f"deployed after the end of {what}", commit)
