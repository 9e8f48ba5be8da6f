"""What becomes of content whose Python is taken away: the four consequences, by the real client and by HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.configuring import offer, rostra
from support.direct import Direct, new_item
from support.publishing import Published, Publisher, app
from support.server import Server, running_server
from support.watching import processes_of, until

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("removal")]

FLASK = """
import os, sys
from flask import Flask
app = Flask(__name__)
@app.route("/", methods=["GET", "POST"])
def index():
    return "%s on %d.%d" % (os.environ.get("GREETING", "hello"), *sys.version_info[:2])
"""
HTML = "text/html,application/xhtml+xml"


@dataclass
class World:
    """A server that had an old and a newer Python; ``take_away`` leaves the newer one."""

    server: Server
    old: Path
    new: Path
    version: str
    folder: Path
    items: dict[str, Any] = field(default_factory=dict)

    def asks(self) -> dict[str, Any]:
        return {"version": self.version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}

    def publisher(self) -> Publisher:
        return Publisher(self.server, self.folder)

    def take_away(self) -> None:
        offer(self.server, [self.new])


def old_python() -> tuple[str, Path]:
    for minor in ("3.8", "3.9"):
        for version, path in interpreters.installed().items():
            if version.startswith(f"{minor}."):
                return version, path
    pytest.skip("no Python 3.8 or 3.9 on this machine")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    version, old = old_python()
    new = interpreters.minor("3.11") or interpreters.minor("3.13")
    if new is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("removal"), [old, new]) as server:
        world = World(server, old, new, version, tmp_path_factory.mktemp("work"))
        world.items = {
            "api": new_item(server, title="The API"),
            "draft": new_item(server),
            "notebook": _notebook(world, "notebook"),
            "scheduled": _notebook(world, "scheduled"),
            "flask": _flask(world),
        }
        world.items["api"].deploy(python=world.asks())
        assert world.items["api"].told()["python"][:2] == [int(part) for part in version.split(".")[:2]]
        assert server.get(world.items["flask"].path).text == f"salut on {version.rpartition('.')[0]}"
        assert "rostra-notice" not in server.get(world.items["notebook"].path).headers
        world.take_away()
        yield world


def _notebook(world: World, name: str) -> Published:
    work = world.folder / name
    work.mkdir()
    cell = {"cell_type": "code", "source": "print(6 * 7)", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    told = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    (work / "report.ipynb").write_text(json.dumps(told))
    (work / "requirements.txt").write_text("")
    (work / ".python-version").write_text(world.version)
    return world.publisher().deploy(work, "notebook", "report.ipynb")


def _flask(world: World) -> Published:
    """An application with everything that re-publishing must keep."""
    work = app(world.folder / "flask", FLASK)
    (work / ".python-version").write_text(world.version)
    found = world.publisher().deploy(work, "flask", ".", "-E", "GREETING=salut", "--title", "Kept")
    api = f"/__api__/v1/content/{found.guid}"
    world.server.ask(api, "PATCH", {"access_type": "logged_in", "max_processes": 2, "idle_timeout": 77})
    world.server.ask(f"{api}/vanity", "PUT", {"path": "/kept/"})
    return found


def problem(item: Direct | Published, world: World, **request: Any) -> dict[str, Any]:
    answer = world.server.get(item.path, **request)
    assert answer.status == 502, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_opening_a_document_is_one_visit_and_is_told_soon(world: World) -> None:
    guid = world.items["notebook"].guid
    listing = f"/__api__/v1/instrumentation/content/visits?content_guid={guid}"
    before = len(world.server.ask(listing)["results"])
    assert world.server.get(world.items["notebook"].path).status == 200
    until(lambda: len(world.server.ask(listing)["results"]) > before, 5, "the visit is not told")
    rows = world.server.ask(listing)["results"]
    assert len(rows) == before + 1
    assert rows[-1]["user_guid"] == world.server.ask("/__api__/v1/user")["guid"]
    assert rows[-1]["rendering_id"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_every_request_to_an_api_is_answered_502(world: World, method: str) -> None:
    for _ in range(3):
        told = problem(world.items["api"], world, method=method, body=b"{}" if method != "GET" else None)
        assert told["problem"] == "runtime-gone"
        assert world.version in told["error"]
        assert told["python"] == world.version
        assert "publish it again" in told["hint"]


def test_a_person_reads_which_python_what_to_do_and_whom_to_ask(world: World) -> None:
    answer = world.server.get(world.items["api"].path + "some/page", Accept=HTML)
    assert answer.status == 502
    owner = world.server.ask("/__api__/v1/user")
    for words in (f"Python {world.version}", "publish it again", owner["email"] or owner["username"]):
        assert words in answer.text


def test_nothing_of_it_runs_any_more(world: World) -> None:
    until(lambda: not processes_of(world.server, world.items["api"].guid), 10, "its process did not end")


def test_a_document_stays_readable_and_says_that_it_cannot_be_refreshed(world: World) -> None:
    answer = world.server.get(world.items["notebook"].path, Accept=HTML)
    assert answer.status == 200
    notice = answer.headers["rostra-notice"]
    assert world.version in notice
    assert "cannot be refreshed" in notice


def test_the_same_bundle_cannot_be_rendered_again(world: World) -> None:
    server, guid = world.server, world.items["notebook"].guid
    before = server.get(world.items["notebook"].path).body
    live = server.ask(f"/__api__/v1/content/{guid}")["bundle_id"]
    task = server.ask(f"/__api__/v1/content/{guid}/deploy", "POST", {"bundle_id": live})["task_id"]
    done = server.wait_for(task)
    assert done["code"] == 1
    assert any(world.version in line for line in done["output"]), done["output"]
    assert "no compatible Local environment with Python version" in done["error"]
    assert server.get(world.items["notebook"].path).body == before


def test_a_refused_refresh_says_what_to_do(world: World) -> None:
    server, notebook = world.server, world.items["notebook"]
    before = server.get(notebook.path).body
    done = server.wait_for(server.ask(f"/__api__/v1/content/{notebook.guid}/render", "POST", {})["task_id"])
    assert done["code"] == 1
    assert f"Python {world.version}, which this server no longer offers" in done["error"]
    assert "Publish it again" in done["error"]
    assert f"put {world.version} back under [Python] Executable" in done["error"]
    assert server.get(notebook.path).body == before


def test_building_it_ahead_of_time_fails_with_the_clients_own_words(world: World, tmp_path: Path) -> None:
    client = world.server.client
    client("content", "build", "add", "-n", "rostra", "-g", world.items["api"].guid, cwd=tmp_path)
    client("content", "build", "run", "-n", "rostra", cwd=tmp_path, check=False)
    listed = client("content", "build", "ls", "-n", "rostra", cwd=tmp_path).stdout
    assert "ERROR" in listed
    logs = client("content", "build", "logs", "-n", "rostra", "-g", world.items["api"].guid, cwd=tmp_path, check=False)
    assert world.version in logs.stdout + logs.stderr


def test_publishing_the_same_again_is_refused_and_names_the_version(world: World) -> None:
    work = app(world.folder / "again", FLASK)
    (work / ".python-version").write_text(world.version)
    done = world.publisher().deploy(work, "flask", "--new", ".", check=False)
    assert done.code == 1
    assert "Cannot find compatible environment" in done.output
    assert f"Python version satisfying ~={world.version.rpartition('.')[0]}" in done.output, done.output


def test_republishing_on_a_newer_python_keeps_everything(world: World) -> None:
    server, flask = world.server, world.items["flask"]
    api = f"/__api__/v1/content/{flask.guid}"
    before, given = server.ask(api), looked_after(world, flask)
    assert server.get("/kept/").status == 502
    work = app(world.folder / "flask", FLASK)
    minor = ".".join(interpreters_version(world.new).split(".")[:2])
    (work / ".python-version").write_text(f"~={minor}.0")
    world.publisher().deploy(work, "flask", "--app-id", flask.guid, ".")
    answer = server.get("/kept/")
    assert (answer.status, answer.text) == (200, f"salut on {minor}")
    after = server.ask(api)
    for name in ("guid", "title", "access_type", "max_processes", "idle_timeout", "name", "owner_guid"):
        assert after[name] == before[name], name
    assert after["py_version"].startswith(minor)
    assert server.ask(f"{api}/environment") == ["GREETING"]
    assert kept(world, flask) == given


def looked_after(world: World, item: Published) -> dict[str, Any]:
    """Give an item tags and somebody else who may change it; return what is told of both."""
    server, api = world.server, f"/__api__/v1/content/{item.guid}"
    tags = server.ask("/__api__/v1/tags") or [server.ask("/__api__/v1/tags", "POST", {"name": "Department"})]
    below = server.ask("/__api__/v1/tags", "POST", {"name": item.guid, "parent_id": tags[0]["id"]})
    assert server.get(f"{api}/tags", method="POST", body=json.dumps({"tag_id": below["id"]}).encode()).status < 300
    body = {"username": f"p{item.guid[:8]}", "password": "correct horse battery", "user_role": "publisher"}
    person = server.ask("/__api__/v1/users", "POST", {**body, "email": f"{body['username']}@example.org"})
    grant = {"principal_guid": person["guid"], "principal_type": "user", "role": "owner"}
    server.ask(f"{api}/permissions", "POST", grant)
    return kept(world, item)


def kept(world: World, item: Published) -> dict[str, Any]:
    api = f"/__api__/v1/content/{item.guid}"
    return {what: world.server.ask(f"{api}/{what}") for what in ("tags", "permissions")}


def test_republishing_a_report_keeps_its_schedule_and_renders_again(world: World) -> None:
    server, report = world.server, world.items["scheduled"]
    api = f"/__api__/v1/content/{report.guid}"
    weekly = {"type": "week", "schedule": {"N": 1}, "start_time": "2099-01-05T09:00:00Z", "timezone": "UTC"}
    schedule = server.ask(f"{api}/schedule", "PUT", {**weekly, "email": True})
    before, variants = looked_after(world, report), server.ask(f"{api}/variants")
    minor = ".".join(interpreters_version(world.new).split(".")[:2])
    (world.folder / "scheduled" / ".python-version").write_text(f"~={minor}.0")
    world.publisher().deploy(world.folder / "scheduled", "notebook", "--app-id", report.guid, "report.ipynb")
    assert server.ask(api)["py_version"].startswith(minor)
    assert "rostra-notice" not in server.get(report.path).headers
    assert server.ask(f"{api}/schedule") == schedule
    assert [row["key"] for row in server.ask(f"{api}/variants")] == [row["key"] for row in variants]
    assert kept(world, report) == before
    assert {what: len(rows) for what, rows in before.items()} == {"tags": 1, "permissions": 1}
    assert server.wait_for(server.ask(f"{api}/render", "POST", {})["task_id"])["code"] == 0


def interpreters_version(path: Path) -> str:
    return next(version for version, found in interpreters.installed().items() if found == path)


def test_the_audit_and_the_other_reports_say_so(world: World) -> None:
    told = json.loads(rostra(world.server, "runtimes", "audit", "--format", "json").stdout)
    row = next(row for row in told["versions"] if row["version"] == world.version)
    assert (row["state"], row["past_end_of_life"]) == ("gone", True)
    lost = {row["title"] for row in told["items"] if row["interpreter_gone"]}
    assert "The API" in lost
    assert "(gone)" in rostra(world.server, "runtimes", "audit", "--python", world.version).stdout
    listed = json.loads(rostra(world.server, "environments", "list", "--format", "json").stdout)
    assert {row["state"] for row in listed if row["python"] == world.version} == {"interpreter gone"}
    checked = rostra(world.server, "upgrade", "check", check=False)
    assert checked.returncode == 1
    assert f"would not run: this content runs on Python {world.version}" in checked.stdout


def test_the_dashboard_says_so(world: World) -> None:
    page = world.server.get(f"/connect/apps/{world.items['notebook'].guid}", Accept=HTML).text
    assert "runtime missing" in page
    assert "stays readable and cannot be refreshed" in page
