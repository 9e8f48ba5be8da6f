"""The server is killed in every phase of a rebuild: asked for by a visit, by an administrator, by the client.

Three items were built for a patch release that makes way for another one, back and forth: each rebuild has packages to
install and a new interpreter to record. Whatever was interrupted goes on or is asked for again, and ends whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.aftermath import complaints, orphans
from support.configuring import offer, rostra
from support.direct import Background, Direct, new_item, source
from support.server import BIN, Server, client_environment, running_server
from support.watching import mentioning, replaced, until, within

pytestmark = [pytest.mark.server, pytest.mark.fault, pytest.mark.interpreters, pytest.mark.xdist_group("rebuild-life")]

PATIENCE = "[Applications]\nBuildPatience = 2s\n"
# Built from source, so that it takes as long each time; the module shows that an environment is whole.
SETUP = """
import time
time.sleep(2)
from setuptools import setup
setup(name="part-{name}", version="1", py_modules=["part_{name}"])
"""
# Slow to start, so that there is a moment between its environment and its first answer.
CODE = """
import time
import part_{name}
time.sleep(1)
"""


def files(name: str) -> dict[str, str]:
    return {
        "app.py": source(name, CODE.format(name=name)),
        "requirements.txt": "./part\n",
        "part/setup.py": SETUP.format(name=name),
        f"part/part_{name}.py": "",
    }


@dataclass
class World:
    server: Server
    folder: Path
    patches: dict[str, Path]
    items: list[Direct] = field(default_factory=list)
    now: str = ""

    def outdate(self) -> None:
        """Offer the other release, none of whose environments are there, while everything sleeps."""
        self.now = next(each for each in self.patches if each != self.now)
        if self.ready():
            body = {"language": "Python", "version": self.now, "image_name": "Local"}
            task = self.server.ask("/__api__/v1/system/caches/runtime", "DELETE", body)["task_id"]
            assert self.server.wait_for(task)["code"] == 0
        self.server.stop()
        offer(self.server, [self.patches[self.now]], reload=False)
        self.server.start()
        assert self.ready() == []
        assert self.moved() == set()

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.server.data_dir}/rostra.db?mode=ro", uri=True, timeout=30)) as found:
            return found.execute(query).fetchall()

    def moved(self) -> set[str]:
        """Return the items that are recorded for the new release."""
        query = "SELECT guid, runtime_version FROM items JOIN bundles ON bundles.id = items.live_bundle_id"
        return {guid for guid, version in self.rows(query) if version == self.now}

    def begun(self) -> bool:
        """Return whether some task is being worked on."""
        query = "SELECT 1 FROM tasks WHERE finished_at IS NULL AND started_at IS NOT NULL"
        return bool(self.rows(query))

    def open(self) -> bool:
        return bool(self.rows("SELECT 1 FROM tasks WHERE finished_at IS NULL"))

    def ready(self) -> list[str]:
        """Return the environments that are there for the new release."""
        return sorted(path.name for path in (self.server.data_dir / "environments/python" / self.now).glob("[!.]*"))

    def installs(self) -> bool:
        """Return whether an installer is at work."""
        return any("/.scratch-" in words for words in mentioning(self.server.data_dir).values())

    def place(self, item: Direct) -> int | None:
        found: dict[str, Any] = json.loads(self.server.get(f"/__status__/{item.guid}").text)
        return found.get("position")

    def check(self, asked: list[Direct]) -> None:
        """Check that what was asked for is whole, and that the rest is made when it is visited."""
        assert {item.guid for item in asked} <= self.moved()
        for item in self.items:
            until(lambda item=item: item.get().status == 200, within(60), f"{item.guid} answers again")
            assert ".".join(map(str, item.told()["python"])) == self.now
        assert self.moved() == {item.guid for item in self.items}
        assert len(self.ready()) == len(self.items)
        until(lambda: not complaints(self.server), within(20), str(complaints(self.server)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = {version: path for version, path in interpreters.installed().items() if version.startswith("3.11.")}
    if len(found) < 2:
        pytest.skip("needs two patch releases of Python 3.11")
    first, second = sorted(found)[:2]
    folder = tmp_path_factory.mktemp("s")
    with running_server(folder, [found[first]], PATIENCE) as server:
        made = World(server, folder, {first: found[first], second: found[second]}, now=first)
        python = {"version": first, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
        for name in ("one", "two", "three"):
            made.items.append(new_item(server, title=name))
            made.items[-1].deploy(files(name), python=python)
        yield made


class ByVisit:
    """Somebody opens the content, and opens it again after the restart."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, world.items[:1]
        self._visit = Background(self.asked[0])

    def waits(self) -> bool:
        return self.world.place(self.asked[0]) == 1

    def end(self) -> None:
        self._visit.join(150)
        until(lambda: self.asked[0].get().status == 200, within(90), "the next visitor is served")


class ByCommand:
    """`rostra environments rebuild`, which stays on while the server is away."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, world.items
        command = [BIN / "rostra", "environments", "rebuild", "--python", "3.11", "--config", world.server.config]
        self._shown = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def waits(self) -> bool:
        return self.world.begun()

    def end(self) -> None:
        with self._shown:
            out, _ = self._shown.communicate(timeout=150)
        assert self._shown.returncode == 0, out
        assert "beginning again" in out
        again = rostra(self.world.server, "environments", "rebuild", "--python", "3.11").stdout
        assert again.count(": ready") == len(self.asked), again


class ByClient:
    """`rsconnect content build run`, which takes the loss of the server for an error and is run again."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, world.items[:1]
        self._server = world.server
        self._client("rm", "--all", "--purge", check=False)
        self._client("add", "-g", self.asked[0].guid)
        command = [BIN / "rsconnect", "content", "build", "run", "-n", "rostra"]
        self._run = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=world.folder,
            env=client_environment(world.server.home, BIN / "rsconnect"),
        )

    def _client(self, *words: str, check: bool = True) -> str:
        command = ("content", "build", words[0], "-n", "rostra", *words[1:])
        return self._server.client(*command, cwd=self.world.folder, check=check).stdout

    def waits(self) -> bool:
        return self.world.begun()

    def end(self) -> None:
        with self._run:
            self._run.communicate(timeout=150)
        until(lambda: not self.world.open(), within(90), "the server goes on without the client")
        assert {item.guid for item in self.asked} <= self.world.moved()
        self._client("run", "--retry", "--force")
        assert "COMPLETE" in self._client("ls")


Way = ByVisit | ByCommand | ByClient
WAYS: dict[str, type[Way]] = {
    "by a visit": ByVisit,
    "by the command line": ByCommand,
    "by the client": ByClient,
}


@contextlib.contextmanager
def before_its_turn(world: World, way: type[Way]) -> Iterator[Way]:
    """Both places are taken by visitors of other content."""
    others = [Background(item) for item in world.items[1:]]
    until(lambda: all(world.place(item) is None for item in world.items[1:]) and world.installs(), 60, "two are built")
    asked = way(world)
    until(asked.waits, within(60), "it waits for its turn")
    yield asked
    for visit in others:
        visit.join(150)


@contextlib.contextmanager
def while_it_installs(world: World, way: type[Way]) -> Iterator[Way]:
    asked = way(world)
    until(world.installs, within(60), "the installer runs")
    yield asked


@contextlib.contextmanager
def before_it_is_recorded(world: World, way: type[Way]) -> Iterator[Way]:
    """The environment is there, and the database lets nobody write that down."""
    asked = way(world)
    until(world.installs, within(60), "the installer runs")
    database = sqlite3.connect(world.server.data_dir / "rostra.db", timeout=30, isolation_level=None)
    with closing(database):
        database.execute("BEGIN IMMEDIATE")
        until(world.ready, within(60), "the environment is there")
        assert world.moved() == set()
        yield asked


@contextlib.contextmanager
def after_it_is_recorded(world: World, way: type[Way]) -> Iterator[Way]:
    """It has been switched to the new interpreter, and nothing has been started there."""
    asked = way(world)
    until(world.moved, within(60), "the first is recorded")
    yield asked


Moment = Callable[[World, type[Way]], contextlib.AbstractContextManager[Way]]
PHASES: dict[str, Moment] = {
    "before its turn": before_its_turn,
    "while it installs": while_it_installs,
    "before it is recorded": before_it_is_recorded,
    "after it is recorded": after_it_is_recorded,
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
def test_a_rebuild_survives_the_death_of_the_server(world: World, way: str, phase: str) -> None:
    world.outdate()
    with PHASES[phase](world, WAYS[way]) as asked:
        world.server.kill()
        until(lambda: not orphans(world.server), within(5), f"orphans: {orphans(world.server)}")
    world.server.start()
    asked.end()
    world.check(asked.asked)


@pytest.mark.parametrize("phase", ["while it installs", "before it is recorded"])
def test_a_rebuild_survives_the_death_of_control_alone(world: World, phase: str) -> None:
    """The supervisor starts it again; the installer must have ended with it, or two would build the same."""
    world.outdate()
    with PHASES[phase](world, ByVisit) as asked:
        old = world.server.children()["control"]
        os.kill(old, signal.SIGKILL)
        until(lambda: not world.installs(), within(5), "its installer ends with it")
    until(replaced(world.server, "control", old), within(30), "control is started again")
    until(lambda: world.server.get("/__ping__").status == 200, within(60), "it answers")
    asked.end()
    world.check(asked.asked)
