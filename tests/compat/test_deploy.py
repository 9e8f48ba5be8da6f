"""The ways of publishing: drafts, failures, re-publishing, variables, older bundles; with the unmodified client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compat.conftest import Publisher, app

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


def test_a_failing_bundle_never_replaces_a_working_one(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    live = publisher.item(first.guid)["bundle_id"]
    app(work, BROKEN)
    done = publisher.server.client("deploy", "flask", "-n", "rostra", ".", cwd=work, check=False)
    assert done.returncode == 1
    assert "not_there_at_all" in done.stdout + done.stderr
    assert publisher.item(first.guid)["bundle_id"] == live
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
    live = publisher.item(first.guid)["bundle_id"]
    app(work, GREETS.format("two"))
    publisher.deploy(work, "flask", "--draft", ".")
    draft = publisher.bundles(first.guid)[0]["id"]
    assert draft != live
    assert publisher.item(first.guid)["bundle_id"] == live
    assert publisher.server.get(first.path).text == "hello one"
    assert publisher.server.get(f"{first.path}_bundle{draft}/").text == "hello two"


def test_an_earlier_bundle_can_be_activated_again(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    earlier = publisher.item(first.guid)["bundle_id"]
    app(work, GREETS.format("two"))
    publisher.deploy(work, "flask", ".")
    assert publisher.server.get(first.path).text == "hello two"
    task = publisher.server.ask(f"/__api__/v1/content/{first.guid}/deploy", "POST", {"bundle_id": earlier})
    view = publisher.server.wait_for(task["task_id"])
    assert view["code"] == 0, view
    assert publisher.server.get(first.path).text == "hello one"


def test_variables_and_titles_survive_publishing_again(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("nobody"))
    first = publisher.deploy(work, "flask", "-E", "NAME=ada", "--title", "Greeting desk", ".")
    assert publisher.server.get(first.path).text == "hello ada"
    publisher.deploy(work, "flask", ".")
    assert publisher.server.get(first.path).text == "hello ada"
    assert publisher.item(first.guid)["title"] == "Greeting desk"


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
    named = str(publisher.item(first.guid)[by])
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


def test_a_broken_draft_fails_and_changes_nothing(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    live = publisher.item(first.guid)["bundle_id"]
    app(work, BROKEN)
    done = publisher.deploy(work, "flask", "--draft", ".", check=False)
    assert done.code == 1
    assert "not_there_at_all" in done.output
    assert publisher.item(first.guid)["bundle_id"] == live
    assert publisher.server.get(first.path).text == "hello one"


def test_a_first_draft_is_nobodys_content_yet(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one")), "flask", "--draft", ".")
    assert publisher.item(first.guid)["bundle_id"] is None
    draft = publisher.bundles(first.guid)[0]["id"]
    assert publisher.server.get(f"{first.path}_bundle{draft}/").text == "hello one"
    assert publisher.server.get(first.path).status == 404
    publisher.deploy(tmp_path / "a", "flask", ".")
    assert publisher.server.get(first.path).text == "hello one"


def test_a_draft_is_for_those_who_may_change_it(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one")), "flask", "--draft", ".")
    publisher.server.ask(f"/__api__/v1/content/{first.guid}", "PATCH", {"access_type": "all"})
    preview = f"{first.path}_bundle{publisher.bundles(first.guid)[0]['id']}/"
    assert publisher.server.get(preview, Authorization="").status == 401


def test_verifying_is_what_the_client_does_unless_told_otherwise(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    verified = publisher.deploy(work, "flask", ".")
    assert "Verifying deployed content" in verified.output
    assert "Activating" in verified.output
    unverified = publisher.deploy(work, "flask", "--new", "--no-verify", ".")
    assert "Verifying deployed content" not in unverified.output
    assert publisher.server.get(unverified.path).text == "hello one"


def test_names_and_titles_may_be_used_again(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    guids = {publisher.deploy(work, "flask", "--new", "--title", "One & the Same!", ".").guid for _ in range(3)}
    names = {publisher.item(guid)["name"] for guid in guids}
    assert len(names) == 3, "the client asks for a free name"
    assert {publisher.item(guid)["title"] for guid in guids} == {"One & the Same!"}


def test_a_variable_is_changed_and_others_stay(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("nobody"))
    first = publisher.deploy(work, "flask", "-E", "NAME=ada", "-E", "OTHER=kept", ".")
    publisher.deploy(work, "flask", "-E", "NAME=grace", ".")
    assert publisher.server.get(first.path).text == "hello grace"
    assert sorted(publisher.server.ask(f"/__api__/v1/content/{first.guid}/environment")) == ["NAME", "OTHER"]


def test_another_kind_is_not_put_into_an_item(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one")), "flask", ".")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text("<p>a page</p>")
    done = publisher.deploy(tmp_path / "b", "html", "--app-id", first.guid, "index.html", check=False)
    assert done.code == 1
    assert publisher.server.get(first.path).text == "hello one"


def test_what_was_deleted_is_said_to_be_gone(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", GREETS.format("one"))
    first = publisher.deploy(work, "flask", ".")
    assert publisher.server.get(f"/__api__/v1/content/{first.guid}", method="DELETE").status == 204
    assert publisher.server.get(first.path).status == 404
    done = publisher.deploy(work, "flask", ".", check=False)
    assert done.code == 1
    assert "--new" in done.output


def test_the_same_needs_share_an_environment(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(app(tmp_path / "a", GREETS.format("one"), "flask\nclick>=8\n"), "flask", ".")
    second = publisher.deploy(app(tmp_path / "b", GREETS.format("two"), "flask\nclick>=8\n"), "flask", ".")
    assert "Building environment" in first.output
    assert "Building environment" not in second.output
