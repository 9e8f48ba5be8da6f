"""Environments that are missing or outdated are made again: when visited, ahead of time, after a crash."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.aftermath import unfinished
from support.configuring import offer, rostra
from support.direct import Background, Direct, new_item
from support.moments import soon
from support.server import BIN, Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("rebuild")]

HTML = "text/html"
# A package that takes its time: it is built from a folder of the bundle.
SLOW_SETUP = """
import time
time.sleep({seconds})
from setuptools import setup
setup(name="slow-{name}", version="1", py_modules=[])
"""
PATIENCE = "[Applications]\nBuildPatience = 2s\n"


@pytest.fixture(scope="module")
def python() -> Path:
    found = interpreters.minor("3.11") or interpreters.minor("3.13")
    if found is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    return found


@pytest.fixture(scope="module")
def server(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("r"), [python], PATIENCE) as started:
        yield started


@pytest.fixture(autouse=True)
def ready(server: Server, python: Path) -> Iterator[None]:
    """A server that runs, has no content and offers the one Python, whatever a test before did."""
    assert server.process is not None
    if server.process.poll() is not None:
        server.start()
    offer(server, [python])
    yield
    if server.process.poll() is None:
        for item in server.ask("/__api__/v1/content"):
            server.get(f"/__api__/v1/content/{item['guid']}", method="DELETE")


def slow(name: str, seconds: float) -> dict[str, str]:
    """Return the files of an application whose environment takes a while to make."""
    from support.direct import source

    return {
        "app.py": source(name),
        "requirements.txt": "./part\n",
        "part/setup.py": SLOW_SETUP.format(seconds=seconds, name=name),
    }


def forget(server: Server, item: Direct) -> None:
    """Remove the environments of the item's Python with the API, as the client does."""
    version = server.ask(item.api)["py_version"]
    body = {"language": "Python", "version": version, "image_name": "Local"}
    task = server.ask("/__api__/v1/system/caches/runtime", "DELETE", body)["task_id"]
    assert server.wait_for(task)["code"] == 0


def environments(server: Server, *items: Direct) -> list[dict[str, Any]]:
    """Return the environments that ``items`` have now."""
    found = json.loads(rostra(server, "environments", "list", "--format", "json").stdout)
    wanted = {item.guid for item in items}
    return [row for row in found if wanted & {item["guid"] for item in row["items"]}]


def test_a_deleted_cache_is_built_again_behind_a_waiting_page(server: Server) -> None:
    item = new_item(server)
    item.deploy(slow("one", 5))
    version = server.ask(item.api)["py_version"]
    assert version in server.client("system", "caches", "list", "-n", "rostra").stdout
    server.client("system", "caches", "delete", "-n", "rostra", "--language", "Python", "--version", version)
    assert environments(server, item) == []
    page = item.get(Accept=HTML)
    assert page.status == 503
    assert "Installing its packages" in page.text
    assert page.headers["retry-after"]
    status = f"/__status__/{item.guid}"
    until(lambda: "Building environment" in server.get(status).text, 20, "the real progress is shown")
    told = json.loads(server.get(status).text)
    assert told["state"] == "starting"
    waiting = item.get()
    assert waiting.status == 503, "a program is told to come back after a bounded wait"
    assert waiting.headers["retry-after"]
    assert json.loads(waiting.text)["problem"] == "starting"
    until(lambda: item.get().status == 200, 60, "it is made and started")
    assert len(environments(server, item)) == 1


def test_who_waits_knows_their_place(server: Server) -> None:
    items = [new_item(server) for _ in range(4)]
    for number, item in enumerate(items):
        item.deploy(slow(f"n{number}", 2))
    forget(server, items[0])
    visits = []
    for item in items:  # two are built at a time
        visits.append(Background(item))
        time.sleep(0.5)
    places = [json.loads(server.get(f"/__status__/{item.guid}").text).get("position") for item in items]
    assert places == [None, None, 1, 2]
    page = items[3].get(Accept=HTML).text
    assert "in the queue" in page
    for visit in visits:
        visit.join(120)
    for item in items:
        until(lambda item=item: item.get().status == 200, 60, "everyone is served in the end")


def test_a_patch_upgrade_moves_what_runs_and_says_why(server: Server) -> None:
    patches = sorted(version for version in interpreters.installed() if version.startswith("3.11."))
    if len(patches) < 2:
        pytest.skip("needs two patch releases of Python 3.11")
    older, newer = (interpreters.installed()[version] for version in (patches[0], patches[-1]))
    offer(server, [older])
    python = {"version": patches[0], "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    item = new_item(server)
    item.deploy({**slow("one", 0)}, python=python)
    assert ".".join(map(str, item.told()["python"])) == patches[0]
    offer(server, [newer])
    assert item.told(), "what runs goes on while the new environment is made"
    until(lambda: ".".join(map(str, item.told()["python"])) == patches[-1], 60, "it runs on the newer one")
    assert server.ask(item.api)["py_version"] == patches[-1]
    told = json.loads(rostra(server, "runtimes", "audit", "--format", "json").stdout)
    reason = next(row["reason"] for row in told["items"] if row["guid"] == item.guid)
    assert reason.startswith(f"Python {patches[0]} is gone and {patches[-1]} takes its place")


def test_a_patch_upgrade_rebuilds_what_sleeps_when_it_is_visited(server: Server) -> None:
    patches = sorted(version for version in interpreters.installed() if version.startswith("3.11."))
    if len(patches) < 2:
        pytest.skip("needs two patch releases of Python 3.11")
    older, newer = (interpreters.installed()[version] for version in (patches[0], patches[-1]))
    offer(server, [older])
    python = {"version": patches[0], "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    item = new_item(server)
    item.deploy(slow("sleeps", 0), python=python)
    server.stop()
    offer(server, [newer], reload=False)
    server.start()
    checked = rostra(server, "upgrade", "check").stdout
    assert f"on Python {patches[0]} would run on {patches[-1]}" in checked
    until(lambda: item.get().status == 200, 60, "it is built and started")
    assert ".".join(map(str, item.told()["python"])) == patches[-1]


def test_building_ahead_of_time_with_the_unmodified_client(server: Server, tmp_path: Path) -> None:
    item = new_item(server)
    item.deploy(slow("one", 0))
    forget(server, item)
    server.client("content", "build", "add", "-n", "rostra", "-g", item.guid, cwd=tmp_path)
    server.client("content", "build", "run", "-n", "rostra", cwd=tmp_path)
    assert "COMPLETE" in server.client("content", "build", "ls", "-n", "rostra", cwd=tmp_path).stdout
    assert len(environments(server, item)) == 1


def test_building_ahead_of_time_from_the_command_line(server: Server, python: Path) -> None:
    items = [new_item(server, title=f"Number {number}") for number in range(3)]
    for number, item in enumerate(items):
        item.deploy(slow(f"n{number}", 0))
    forget(server, items[0])
    minor = ".".join(server.ask(items[0].api)["py_version"].split(".")[:2])
    done = rostra(server, "environments", "rebuild", "--python", minor, "--parallel", "2")
    for item in items:
        assert f"({item.guid}): built" in done.stdout, done.stdout
    assert len(environments(server, *items)) == 3
    again = rostra(server, "environments", "rebuild")
    for item in items:
        assert f"({item.guid}): ready" in again.stdout
    assert "0 items" in rostra(server, "environments", "rebuild", "--python", "3.7").stdout


def test_a_render_and_a_schedule_make_the_environment_again(server: Server) -> None:
    item = new_item(server)
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "source": "print(6 * 7)", "outputs": []}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
    item.deploy({"report.ipynb": json.dumps(notebook), "requirements.txt": "ipykernel\n"}, metadata=told)
    forget(server, item)
    assert environments(server, item) == []
    assert server.get(item.path).status == 200, "what was rendered needs no Python"
    assert server.wait_for(server.ask(f"{item.api}/render", "POST", {})["task_id"])["code"] == 0
    assert len(environments(server, item)) == 1
    forget(server, item)
    body = {"type": "day", "schedule": {"N": 1}, "timezone": "UTC", "email": False}
    server.ask(f"{item.api}/schedule", "PUT", {**body, "start_time": soon()})
    until(lambda: len(server.ask(f"{item.api}/renderings")) == 3, within(120), "the schedule renders it")
    assert len(environments(server, item)) == 1


@pytest.mark.fault
def test_a_rebuild_goes_on_after_the_server_was_killed(server: Server) -> None:
    items = [new_item(server) for _ in range(3)]
    for number, item in enumerate(items):
        item.deploy(slow(f"n{number}", 2))
    forget(server, items[0])
    command = [BIN / "rostra", "environments", "rebuild", "--config", server.config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as showing:
        until(lambda: environments(server, *items), 60, "the first is built")
        server.kill()
        server.start()
        out, _ = showing.communicate(timeout=120)
    assert showing.returncode == 0, out
    assert "beginning again" in out
    assert len(environments(server, *items)) == 3
    assert [name for name in unfinished(server.data_dir) if not name.startswith("cache")] == []


def test_a_rebuild_asked_for_while_the_server_stands_begins_with_it(server: Server) -> None:
    item = new_item(server)
    item.deploy(slow("one", 0))
    forget(server, item)
    server.stop()
    done = rostra(server, "environments", "rebuild")
    assert "begins when it starts" in done.stdout
    server.start()
    until(lambda: environments(server, item), 60, "it is built after the start")
