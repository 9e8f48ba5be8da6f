"""The server is killed in every phase of a rehearsal, of moving what is safe, and of telling owners.

Work goes on where it was, comes to what it comes to undisturbed, and leaves nothing behind.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.aftermath import complaints
from support.configuring import rostra
from support.direct import Direct, new_item, source
from support.server import BIN, Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.fault, pytest.mark.interpreters, pytest.mark.xdist_group("runtime-life")]
PUBLISHED = {
    "fine": (source(), "idna==3.4\n"),
    "broken": ("import imp\n" + source(), "idna==3.4\n"),
    "slow": (source("one", "\nimport time; time.sleep(1)\n"), "six==1.16.0\n"),
}
MAIL = "[Server]\nEmailProvider = file\nSenderEmail = rostra@example.org\n"


@dataclass
class World:
    server: Server
    items: dict[str, Direct]
    asks: dict[str, Any]
    undisturbed: dict[str, tuple[str, str]]

    def publish(self, title: str) -> None:
        code, wanted = PUBLISHED[title]
        self.items[title].deploy({"app.py": code, "requirements.txt": wanted}, python=self.asks)

    def begin(self, **more: object) -> dict[str, Any]:
        body = {"retire": "3.11", "onto": "3.13", "fresh": True, **more}
        made: dict[str, Any] = self.server.ask("/__api__/v1/rehearsals", "POST", body)
        return made

    def outcomes(self, rehearsal: str) -> dict[str, tuple[str, str]]:
        """Return {title: (outcome, what settled it)}."""
        told = self.server.ask(f"/__api__/v1/rehearsals/{rehearsal}/report")
        assert (told["state"], told["waiting"]) == ("done", 0)
        return {each["title"]: (each["outcome"], each["decided_by"]) for each in told["items"]}

    def rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.server.data_dir}/rostra.db?mode=ro", uri=True, timeout=30)) as found:
            return found.execute(query, values).fetchall()

    def environments(self) -> set[str]:
        return {path.name for path in (self.server.data_dir / "environments/python").glob("*/*")}

    def versions(self) -> dict[str, str]:
        return {title: self.server.ask(item.api)["py_version"][:4] for title, item in self.items.items()}

    def mails(self) -> list[Path]:
        return sorted((self.server.data_dir / "mail").glob("*.eml"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    old, new = interpreters.minor("3.11"), interpreters.minor("3.13")
    if old is None or new is None:
        pytest.skip("no Python 3.11 and 3.13 on this machine")
    version = next(each for each in interpreters.installed() if each.startswith("3.11."))
    python = {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    with running_server(tmp_path_factory.mktemp("s"), [Path(old), Path(new)], MAIL) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        made = World(server, {title: new_item(server, title=title) for title in PUBLISHED}, python, {})
        for title in PUBLISHED:
            made.publish(title)
        told = made.begin()
        server.wait_for(told["task_id"])
        made.undisturbed = made.outcomes(told["id"])
        yield made


@pytest.fixture
def unmoved(world: World) -> World:
    """Everything is on the old version, as it was published."""
    for title, version in world.versions().items():
        if version != "3.11":
            world.publish(title)
    return world


def found(step: str) -> Callable[[World, dict[str, Any], int], bool]:
    """Return a moment: something of this step has been found out since."""
    return lambda world, _, before: counted(world, step) > before


def counted(world: World, step: str = "") -> int:
    moment = "SELECT max(julianday(found_at)) * 86400.0 * 1000 FROM rehearsal_findings WHERE key LIKE ?"
    return int(world.rows(moment, f"{step}%")[0][0] or 0)


def judged(world: World, told: dict[str, Any], least: int) -> bool:
    query = "SELECT count(*) FROM rehearsal_items WHERE rehearsal_id = ? AND outcome IS NOT NULL"
    return bool(world.rows(query, told["id"])[0][0] >= least)


PHASES: dict[str, Callable[[World, dict[str, Any], int], bool]] = {
    "before the first item": lambda *_: True,
    "after resolving": found("resolve"),
    "after looking at code": found("static"),
    "after building": found("build"),
    "after starting": found("start"),
    "after the first result": lambda world, told, _: judged(world, told, 1),
    "while tidying": lambda world, told, _: judged(world, told, 3),
}
STEPS = {"after resolving": "resolve", "after looking at code": "static", "after building": "build"}


@pytest.mark.parametrize("phase", PHASES)
def test_a_rehearsal_goes_on(unmoved: World, phase: str) -> None:
    server, before = unmoved.server, unmoved.environments()
    last = counted(unmoved, STEPS.get(phase, "start"))
    told = unmoved.begin()
    until(lambda: PHASES[phase](unmoved, told, last), 120, phase)
    server.kill()
    server.start()
    assert server.wait_for(told["task_id"])["code"] == 0
    assert unmoved.outcomes(told["id"]) == unmoved.undisturbed
    assert unmoved.environments() == before, "what was built aside is removed"
    assert list((server.data_dir / "rehearsals").glob("*")) == []
    assert {item.told()["python"][1] for title, item in unmoved.items.items() if title != "broken"} == {11}
    assert complaints(server) == []


def test_one_that_was_interrupted_is_tidied_and_goes_on(unmoved: World) -> None:
    """Ctrl-C ends it on the server, too; what was found out until then counts when it goes on."""
    server, before, last = unmoved.server, unmoved.environments(), counted(unmoved, "resolve")
    named = ("--server", server.url, "--api-key", server.key)
    command = [BIN / "rostra", "runtimes", "rehearse", "--retire", "3.11", "--onto", "3.13", "--fresh", *named]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as shown:
        until(lambda: server.ask("/__api__/v1/rehearsals")[0]["state"] == "running", within(60), "it runs")
        told = server.ask("/__api__/v1/rehearsals")[0]
        until(lambda: found("resolve")(unmoved, told, last), within(120), "something was found out")
        shown.send_signal(signal.SIGINT)
        _, said = shown.communicate(timeout=within(60))
    assert f"--resume {told['id']}" in said
    server.wait_for(told["task_id"])
    assert server.ask(f"/__api__/v1/rehearsals/{told['id']}")["state"] == "cancelled"
    assert unmoved.environments() == before
    assert list((server.data_dir / "rehearsals").glob("*")) == []
    done = subprocess.run(
        [*command[:3], "--resume", told["id"], *named], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert unmoved.outcomes(told["id"]) == unmoved.undisturbed
    assert unmoved.environments() == before
    assert complaints(server) == []


def test_owners_are_told_once(unmoved: World) -> None:
    server = unmoved.server
    told = unmoved.begin(fresh=False)
    server.wait_for(told["task_id"])
    before = len(unmoved.mails())
    for _ in range(3):
        server.get(f"/__api__/v1/rehearsals/{told['id']}/notify", method="POST", body=b"{}")
        server.kill()
        server.start()
    until(lambda: len(unmoved.mails()) > before, 60, "the mail is written")
    assert len({path.read_text().partition("Message-ID: ")[2].split("\n")[0] for path in unmoved.mails()[before:]}) == 1
    assert complaints(server) == []


def test_what_is_safe_is_moved_though_the_server_dies(unmoved: World) -> None:
    """After this nothing is left to rehearse."""
    server = unmoved.server
    told = unmoved.begin(fresh=False, keep=True)
    server.wait_for(told["task_id"])
    moving = server.ask(f"/__api__/v1/rehearsals/{told['id']}/rebuild", "POST", {})["tasks"]
    assert len(moving) == 2
    for number in range(2):
        until(lambda: list(unmoved.versions().values()).count("3.13") >= number, 120, "one more is moved")  # noqa: B023
        server.kill()
        server.start()
    for one in moving:
        assert server.wait_for(one["task_id"])["code"] == 0
    assert unmoved.versions() == {"fine": "3.13", "broken": "3.11", "slow": "3.13"}
    assert unmoved.items["fine"].told()["python"][1] == 13
    assert unmoved.items["slow"].told()["python"][1] == 13
    assert complaints(server) == []


def retired(world: World) -> None:
    rostra(world.server, "runtimes", "retire", "3.11", "--anyway", "--write")


def retired_and_told(world: World) -> None:
    """The server is told, and dies before it has read anything, or after."""
    retired(world)
    assert world.server.process is not None
    world.server.process.send_signal(signal.SIGHUP)


RETIRING: dict[str, tuple[Callable[[World], None], int]] = {
    "before it is written": (lambda _: None, 200),
    "before the server is told": (retired, 502),
    "while the server reads it": (retired_and_told, 502),
}


@pytest.fixture
def moved(world: World) -> World:
    """What is safe is on the new version; one item is left on the old one, which does not run elsewhere."""
    if world.versions()["fine"] == "3.11":
        told = world.begin(fresh=False, keep=True)
        world.server.wait_for(told["task_id"])
        for one in world.server.ask(f"/__api__/v1/rehearsals/{told['id']}/rebuild", "POST", {})["tasks"]:
            assert world.server.wait_for(one["task_id"])["code"] == 0
    return world


@pytest.mark.parametrize("phase", RETIRING)
def test_a_version_is_retired_or_not_whenever_the_server_dies(moved: World, phase: str) -> None:
    server, (begin, status) = moved.server, RETIRING[phase]
    before = server.config.read_text()
    try:
        begin(moved)
        server.kill()
        server.start()
        until(lambda: moved.items["broken"].get().status == status, within(60), "it is as the file says")
        for title in ("fine", "slow"):
            until(lambda title=title: moved.items[title].get().status == 200, within(60), "others are as they were")
        assert moved.versions() == {"fine": "3.13", "broken": "3.11", "slow": "3.13"}
        assert complaints(server) == []
    finally:
        server.config.write_text(before)
        rostra(server, "reload")
    until(lambda: moved.items["broken"].get().status == 200, within(60), "and back again")
