"""The ways of publishing: drafts, failures, re-publishing, variables, older bundles; with the unmodified client."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support.server import Server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

GREETS = """
import os
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return "hello %s" % os.environ.get("NAME", "{}")
"""
BROKEN = "import not_there_at_all\n"


def item(server: Server, guid: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(server.get(f"/__api__/v1/content/{guid}").text)
    return found


def test_a_failing_bundle_never_replaces_a_working_one(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    live = item(publisher.server, first.guid)["bundle_id"]
    app(work, BROKEN)
    done = publisher.server.client("deploy", "flask", "-n", "rostra", ".", cwd=work, check=False)
    assert done.returncode == 1
    assert "not_there_at_all" in done.stdout + done.stderr
    assert item(publisher.server, first.guid)["bundle_id"] == live
    assert publisher.server.get(first.path).text == "hello one"


def test_the_same_without_verification(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    app(work, BROKEN)
    done = publisher.server.client("deploy", "flask", "-n", "rostra", "--no-verify", ".", cwd=work, check=False)
    assert done.returncode == 1
    assert publisher.server.get(first.path).text == "hello one"


def test_a_first_broken_bundle_is_accepted_without_verification_and_explained(
    publisher: Publisher, tmp_path: Path
) -> None:
    published = publisher.deploy(app(tmp_path / "a", BROKEN), "flask", "--no-verify", ".")
    page = publisher.server.get(published.path, Accept="text/html")
    assert page.status >= 500
    assert "not_there_at_all" in published.output


def test_a_draft_has_a_preview_and_changes_nothing(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    live = item(publisher.server, first.guid)["bundle_id"]
    app(work, GREETS.format("two"))
    publisher.deploy(work, "flask", "--draft", ".")
    bundles = json.loads(publisher.server.get(f"/__api__/v1/content/{first.guid}/bundles").text)
    draft = bundles[0]["id"]
    assert draft != live
    assert item(publisher.server, first.guid)["bundle_id"] == live
    assert publisher.server.get(first.path).text == "hello one"
    assert publisher.server.get(f"{first.path}_bundle{draft}/").text == "hello two"


def test_an_earlier_bundle_can_be_activated_again(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    earlier = item(publisher.server, first.guid)["bundle_id"]
    app(work, GREETS.format("two"))
    publisher.deploy(work, "flask", ".")
    assert publisher.server.get(first.path).text == "hello two"
    body = json.dumps({"bundle_id": earlier}).encode()
    task = json.loads(publisher.server.get(f"/__api__/v1/content/{first.guid}/deploy", method="POST", body=body).text)
    while not (view := json.loads(publisher.server.get(f"/__api__/v1/tasks/{task['task_id']}?wait=5").text))[
        "finished"
    ]:
        pass
    assert view["code"] == 0, view
    assert publisher.server.get(first.path).text == "hello one"


def test_variables_and_titles_survive_publishing_again(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("nobody"))
    first = publisher.deploy(work, "flask", "-E", "NAME=ada", "--title", "Greeting desk", ".")
    assert publisher.server.get(first.path).text == "hello ada"
    publisher.deploy(work, "flask", ".")
    assert publisher.server.get(first.path).text == "hello ada"
    assert item(publisher.server, first.guid)["title"] == "Greeting desk"


def test_new_makes_another_item_beside_the_first(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    second = publisher.deploy(work, "flask", "--new", ".")
    assert first.guid != second.guid
    assert publisher.server.get(first.path).status == publisher.server.get(second.path).status == 200


@pytest.mark.parametrize("by", ["guid", "id"])
def test_an_item_can_be_named_by_guid_and_by_number(publisher: Publisher, tmp_path: Path, by: str) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    named = str(item(publisher.server, first.guid)[by])
    app(work, GREETS.format("two"))
    publisher.server.client("deploy", "flask", "-n", "rostra", "--app-id", named, ".", cwd=work)
    assert publisher.server.get(first.path).text == "hello two"


def test_no_matching_python_fails_with_the_text_clients_know(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    (work / "manifest.json").write_text(
        json.dumps(
            {
                "version": 1,
                "metadata": {"appmode": "python-api", "entrypoint": "app"},
                "python": {"version": "3.4.10", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
                "files": {"app.py": {"checksum": ""}, "requirements.txt": {"checksum": ""}},
            }
        )
    )
    done = publisher.server.client("deploy", "manifest", "-n", "rostra", "manifest.json", cwd=work, check=False)
    assert done.returncode == 1
    wanted = "Cannot find compatible environment: no compatible Local environment with Python version 3.4.10"
    assert wanted in done.stdout + done.stderr


def test_a_missing_package_is_named(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"), "flask\nno-such-package-anywhere-at-all\n")
    done = publisher.server.client("deploy", "flask", "-n", "rostra", ".", cwd=work, check=False)
    assert done.returncode == 1
    assert "no-such-package-anywhere-at-all" in done.stdout + done.stderr


def test_the_bundle_can_be_downloaded_and_the_environment_locked(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    got = tmp_path / "got.tar.gz"
    publisher.server.client("content", "download-bundle", "-n", "rostra", "-g", first.guid, "-o", got)
    with tarfile.open(got) as archive:
        assert {"manifest.json", "app.py", "requirements.txt"} <= set(archive.getnames())
    locked = tmp_path / "locked.txt"
    publisher.server.client("content", "get-lockfile", "-n", "rostra", "-g", first.guid, "-o", locked)
    assert "flask==" in locked.read_text().lower()


def test_content_is_described_and_found(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one")), "flask", ".")
    described = publisher.server.client("content", "describe", "-n", "rostra", "-g", first.guid).stdout
    assert json.loads(described)[0]["app_mode"] == "python-api"
    found = publisher.server.client("content", "search", "-n", "rostra", "--published").stdout
    assert first.guid in found


def test_content_is_built_ahead_of_time(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    publisher.server.client("content", "build", "add", "-n", "rostra", "-g", first.guid, cwd=work)
    publisher.server.client("content", "build", "run", "-n", "rostra", cwd=work)
    listed = publisher.server.client("content", "build", "ls", "-n", "rostra", cwd=work).stdout
    assert "COMPLETE" in listed


def test_runtime_caches_are_listed_and_deleted(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one"), "flask\nitsdangerous\n"), "flask", ".")
    listed = json.loads(publisher.server.client("system", "caches", "list", "-n", "rostra").stdout)
    version = item(publisher.server, first.guid)["py_version"]
    assert any(row["version"] == version for row in listed["caches"])
    publisher.server.client(
        "system", "caches", "delete", "-n", "rostra", "--language", "Python", "--version", str(version), "--dry-run"
    )
    assert publisher.server.get(first.path).status == 200


def test_details_names_the_installed_pythons(server: Server) -> None:
    told = server.client("details", "-n", "rostra").stdout
    assert "3.11" in told
