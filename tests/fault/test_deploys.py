"""``kill -9`` of everything at many moments of uploading, building, proving, switching and starting.

Whatever the moment: the server starts again, says what it removed, visitors get the version they had or the new one,
the task goes on or ends with a word, and nothing is left half-made, running or valid that should not be.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from support.aftermath import complaints, orphans, said_of, unfinished
from support.direct import Direct, new_item, packed, source
from support.server import Server
from support.watching import kill, until, within

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("fault")]

POINTS = 25
SLOW_START = "\nimport time; time.sleep(0.3)\n"  # so that proving takes long enough to be met
# Small packages without any dependency: each makes another environment, most of them from the cache.
PACKAGES = [f"idna==3.{n}" for n in range(1, 11)] + [f"six==1.{n}.0" for n in range(11, 18)]


@dataclass
class Publishing(threading.Thread):
    """Publishes one version and is interrupted somewhere; remembers how far it came."""

    item: Direct
    version: str
    requirements: str
    activate: bool = True
    uploaded: int | None = None
    task: str | None = None
    served: bool = False
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.start()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with contextlib.suppress(OSError, AssertionError, ValueError):
            self.uploaded = self.item.upload(
                {"app.py": source(self.version, SLOW_START), "requirements.txt": self.requirements}
            )
            self.task = self.item.start_deploy(self.uploaded, activate=self.activate)
            done = self.item.server.wait_for(self.task)
            self.served = done["code"] == 0 and self.item.get().status == 200


@dataclass
class World:
    server: Server
    item: Direct
    version: str = "v0"
    made: int = 0

    def publish(self, *, activate: bool = True, installs: bool = False) -> Publishing:
        self.made += 1
        package = PACKAGES[self.made % len(PACKAGES)] if installs else ""
        return Publishing(self.item, f"v{self.made}", package, activate)

    def kill_and_start(self) -> tuple[list[str], str]:
        """Return the scratch places that were left, and what the log says of the new start."""
        self.server.kill()
        until(lambda: not orphans(self.server), within(3), f"orphans: {orphans(self.server)}")
        left, before = unfinished(self.server.data_dir), len(self.server.log_text())
        self.server.start()
        return left, self.server.log_text()[before:]

    def check(self, publishing: Publishing) -> None:
        """Check everything after a restart; what was interrupted is carried on first."""
        finished = publishing.task and self.server.wait_for(publishing.task)
        until(lambda: not open_tasks(self.server), within(60), f"tasks: {open_tasks(self.server)}")
        answered = self.item.told()["version"]
        if finished:
            assert finished["finished"]
            assert finished["code"] == 0, finished
            expected = {publishing.version} if publishing.activate else {self.version}
        else:  # the answer to the request may have been lost, not what was asked for
            expected = {self.version, publishing.version} if publishing.activate else {self.version}
        assert answered in expected
        if publishing.uploaded is not None:
            bundles = [bundle["id"] for bundle in self.server.ask(f"{self.item.api}/bundles")]
            assert str(publishing.uploaded) in bundles, "an upload that was confirmed is lost"
        until(lambda: not complaints(self.server), within(10), str(complaints(self.server)))
        self.version = answered


def open_tasks(server: Server) -> list[str]:
    return [line for line in complaints(server) if line.startswith("task") and "not finished" in line]


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    item = new_item(server)
    item.deploy({"app.py": source("v0")})
    assert item.told()["version"] == "v0"
    return World(server, item)


def usual_seconds(world: World, *, installs: bool) -> float:
    """Publish without interruption; return how long it takes here, from upload to first answer."""
    publishing = world.publish(installs=installs)
    publishing.join()
    assert publishing.served
    world.version = publishing.version
    return time.monotonic() - publishing.begun


def points() -> Iterator[tuple[float, bool, bool]]:
    """Yield (share of a usual deploy, activate, installs): a third are drafts, half install packages."""
    for number in range(POINTS):
        yield (number + 0.5) / POINTS * 1.1, number % 3 != 2, number % 2 == 0


def test_a_server_killed_at_any_moment_of_a_deploy_goes_on_as_if_it_had_not_been(world: World) -> None:
    usual = {installs: usual_seconds(world, installs=installs) for installs in (True, False)}
    until(lambda: not complaints(world.server), within(10), str(complaints(world.server)))
    met = {"before the upload": 0, "before the task": 0, "during the task": 0, "after it": 0}
    for share, activate, installs in points():
        publishing = world.publish(activate=activate, installs=installs)
        time.sleep(share * usual[installs])
        left, log = world.kill_and_start()
        publishing.join()
        moment = f"killed after {share:.0%} of a deploy"
        assert said_of(log, left) == [], f"{moment}: scratch was removed without a word"
        try:
            world.check(publishing)
        except AssertionError as why:
            raise AssertionError(f"{moment}: {why}\n--- log\n{world.server.log_text()[-4000:]}") from why
        met[how_far(publishing)] += 1
    assert met["during the task"] >= POINTS // 3, f"the moments are not well spread: {met}"


def how_far(publishing: Publishing) -> str:
    if publishing.served:
        return "after it"
    if publishing.task:
        return "during the task"
    return "before the task" if publishing.uploaded else "before the upload"


def test_a_task_that_kills_the_server_each_time_is_given_up_with_a_word(world: World) -> None:
    publishing = Publishing(world.item, "never", "", True)
    until(lambda: publishing.task, 20, "no task")
    for _ in range(4):
        world.server.kill()
        world.server.start()
        time.sleep(within(0.2))
    publishing.join()
    assert publishing.task
    done = world.server.wait_for(publishing.task)
    if done["code"] != 0:  # the machine may have been quick enough to finish it in between
        assert "The server stopped 3 times while it worked on this" in done["error"]
    until(lambda: not complaints(world.server), within(20), str(complaints(world.server)))
    assert world.item.get().status == 200


def test_an_upload_that_is_cut_off_leaves_nothing(world: World) -> None:
    before = len(world.server.ask(f"{world.item.api}/bundles"))
    body = packed({"app.py": source("big"), "data": bytes(range(256)) * 200_000})
    for delay in (0.005, 0.03, 0.1):
        sending = threading.Thread(target=_send, args=(world.item, body), daemon=True)
        sending.start()
        time.sleep(delay)
        left, log = world.kill_and_start()
        sending.join()
        assert said_of(log, left) == []
        until(lambda: not complaints(world.server), within(10), str(complaints(world.server)))
    assert len(world.server.ask(f"{world.item.api}/bundles")) >= before


def _send(item: Direct, body: bytes) -> None:
    with contextlib.suppress(OSError):
        item.server.get(f"{item.api}/bundles", method="POST", body=body)


@pytest.mark.parametrize("role", ["control", "keeper", "gateway"])
def test_one_process_killed_during_a_deploy_does_not_spoil_it(world: World, role: str) -> None:
    """The deploy goes on or fails with a word; trying again then works."""
    for delay in (0.2, 0.8):
        publishing = world.publish()
        time.sleep(delay)
        kill([pid for name, pid in world.server.children().items() if name == role])
        until(lambda: _ready(world.server), within(15), "the server does not come back")
        publishing.join()
        if publishing.task:
            done = world.server.wait_for(publishing.task)
            assert done["code"] == 0 or done["error"], json.dumps(done)
            if done["code"] == 0:
                world.version = publishing.version
        until(lambda: world.item.get().status == 200, within(20), "content does not answer")
        until(lambda: not complaints(world.server), within(30), str(complaints(world.server)))
        world.version = world.item.told()["version"]


def _ready(server: Server) -> bool:
    with contextlib.suppress(OSError):
        return server.get("/__api__/v1/user").status == 200 and len(server.children()) == 3
    return False
