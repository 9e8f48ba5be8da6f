"""The client's other commands and options for publishing: each one's content is opened and does what was asked."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from support import clients, interpreters
from support.speaking import got

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

# Needs no package, so that it is started in a moment wherever packages are not the point.
PLAIN = """
import sys
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("plain {} on Python %d.%d.%d" % sys.version_info[:3]).encode()]
"""
PAGE = "<!doctype html><title>Page</title><link rel=stylesheet href=more/style.css><p>a page of {}</p>"


def plain(folder: Path, word: str = "app") -> Path:
    return app(folder, PLAIN.format(word), "")


def notebook(publisher: Publisher, *options: str) -> str:
    """Publish the notebook sample with ``options`` and return its page."""
    work = publisher.copy("notebook", "3.11")
    return got(publisher.server, publisher.deploy(work, "notebook", *options, "report.ipynb").path)


@pytest.mark.parametrize("command", ["api", "flask"])
def test_a_wsgi_application_has_two_commands(publisher: Publisher, tmp_path: Path, command: str) -> None:
    published = publisher.deploy(plain(tmp_path / "a"), command, ".")
    assert got(publisher.server, published.path).startswith("plain app on Python 3.")
    assert publisher.item(published.guid)["app_mode"] == "python-api"


def test_an_application_factory_in_a_package(publisher: Publisher, tmp_path: Path) -> None:
    work = plain(tmp_path / "a")
    (work / "pack").mkdir()
    (work / "app.py").rename(work / "pack" / "web.py")
    published = publisher.deploy(work, "api", "--entrypoint", "pack.web:app", ".")
    assert got(publisher.server, published.path).startswith("plain app")


def test_only_the_address_is_printed_when_asked_to_be_quiet(publisher: Publisher, tmp_path: Path) -> None:
    work = plain(tmp_path / "a")
    done = publisher.server.client("deploy", "api", "-n", "rostra", "--quiet", ".", cwd=work)
    assert re.fullmatch(re.escape(publisher.server.url) + r"/content/[0-9a-f-]{36}/", done.stdout.strip())


# Notebooks


def test_a_notebook_shows_its_code_unless_told_otherwise(publisher: Publisher) -> None:
    page = got(publisher.server, publisher.sample("notebook", "3.11").path)
    assert "Rendered by Python 3.11." in page
    assert "axhline" in page
    assert "axhline" not in notebook(publisher, "--hide-all-input")


def test_code_of_tagged_cells_alone_can_be_hidden(publisher: Publisher) -> None:
    page = notebook(publisher, "--hide-tagged-input")
    assert "axhline" in page
    assert "matplotlib.pyplot" not in page, "the cell that imports it is tagged"
    assert "Rendered by Python 3.11." in page, "what a tagged cell prints is still shown"


def test_a_notebook_rendered_by_its_author_is_shown_as_it_is(publisher: Publisher, pytestconfig: pytest.Config) -> None:
    python = interpreters.minor("3.13") or interpreters.minor("3.11")
    assert python is not None
    kept = pytestconfig.cache.mkdir("clients")
    program = clients.client(kept, "1.32.0", python, "nbconvert", "ipykernel", "matplotlib")
    work = publisher.copy("notebook")
    words = ("deploy", "notebook", "-n", "rostra", "--static", "report.ipynb")
    done = publisher.server.client(*words, cwd=work, program=program)
    found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout + done.stderr)
    assert found, done.stdout
    assert publisher.item(found[1])["app_mode"] == "static"
    assert "Rendered by Python 3.1" in got(publisher.server, found[0])


def test_voila_shows_a_folder_of_notebooks(publisher: Publisher) -> None:
    work = publisher.copy("voila", "3.11")
    (work / "explore.ipynb").rename(work / "one.ipynb")
    shutil.copy(work / "one.ipynb", work / "two.ipynb")
    published = publisher.deploy(work, "voila", "--multi-notebook", ".")
    assert publisher.item(published.guid)["app_mode"] == "jupyter-voila"
    listed = json.loads(got(publisher.server, f"{published.path}voila/api/contents"))["content"]
    assert {"one.ipynb", "two.ipynb"} <= {entry["name"] for entry in listed}
    assert got(publisher.server, published.path)
    assert "Voila on Python 3.11." in got(publisher.server, f"{published.path}voila/render/two.ipynb")


# Files


def test_one_html_file(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "page.html").write_text(PAGE.format("one file"))
    published = publisher.deploy(tmp_path / "a", "html", "page.html")
    assert "a page of one file" in got(publisher.server, published.path)


def test_a_folder_of_files_with_a_page_to_begin_with(publisher: Publisher, tmp_path: Path) -> None:
    work = tmp_path / "a"
    (work / "more").mkdir(parents=True)
    (work / "start.html").write_text(PAGE.format("a folder"))
    (work / "more" / "style.css").write_text("p { color: green }")
    (work / "more" / "index.html").write_text(PAGE.format("below"))
    published = publisher.deploy(work, "html", "--entrypoint", "start.html", ".")
    assert "a page of a folder" in got(publisher.server, published.path)
    assert "green" in got(publisher.server, published.path + "more/style.css")
    assert "a page of below" in got(publisher.server, published.path + "more/")
    assert publisher.server.get(published.path + "manifest.json").status == 404, "it is the server's, not a page"


# Manifests, bundles and projects


def test_a_manifest_is_written_first_and_published_later(publisher: Publisher, tmp_path: Path) -> None:
    work = plain(tmp_path / "a")
    publisher.server.client("write-manifest", "api", ".", cwd=work)
    published = publisher.deploy(work, "manifest", "manifest.json")
    assert got(publisher.server, published.path).startswith("plain app")


def test_a_bundle_that_was_downloaded_is_published_as_another_item(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.deploy(plain(tmp_path / "a"), "api", ".")
    bundle = tmp_path / "got.tar.gz"
    publisher.server.client("content", "download-bundle", "-n", "rostra", "-g", first.guid, "-o", bundle)
    second = publisher.deploy(tmp_path, "bundle", "--title", "Again", bundle)
    assert second.guid != first.guid
    assert got(publisher.server, second.path) == got(publisher.server, first.path)


@pytest.mark.parametrize("lead", ["./", "project/", "a/b/c/"])
def test_a_bundle_may_lie_in_a_folder_of_its_own(publisher: Publisher, tmp_path: Path, lead: str) -> None:
    work = plain(tmp_path / "a", "nested")
    publisher.server.client("write-manifest", "api", ".", cwd=work)
    bundle = tmp_path / "made.tar.gz"
    with tarfile.open(bundle, "w:gz") as archive:
        for name in ("app.py", "requirements.txt", "manifest.json"):
            data = (work / name).read_bytes()
            member = tarfile.TarInfo(lead + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    published = publisher.deploy(tmp_path, "bundle", "--title", f"Nested {len(lead)}", bundle)
    assert got(publisher.server, published.path).startswith("plain nested")


PROJECT = """
[project]
name = "desk"
version = "1.0"
requires-python = "{requires}"
dependencies = ["flask"]
[tool.rsconnect]
app_mode = "python-api"
entrypoint = "desk:app"
title = "Desk of a project"
"""
DESK = """
import sys
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return "desk on Python %d.%d.%d" % sys.version_info[:3]
"""


def project(work: Path, requires: str) -> Path:
    work.mkdir()
    (work / "pyproject.toml").write_text(PROJECT.format(requires=requires))
    (work / "desk.py").write_text(DESK)
    return work


def test_a_project_says_everything_itself(publisher: Publisher, minors: list[str], tmp_path: Path) -> None:
    published = publisher.deploy(project(tmp_path / "a", "<3.13,>=3.11"), "pyproject", ".")
    assert publisher.item(published.guid)["title"] == "Desk of a project"
    if "3.11" in minors:
        assert got(publisher.server, published.path).startswith("desk on Python 3.11.")


# Which Python and which packages


def test_an_author_asks_for_a_version_on_the_command_line(publisher: Publisher, tmp_path: Path) -> None:
    wanted = next(version for version in interpreters.installed() if version.startswith("3.9."))
    published = publisher.deploy(plain(tmp_path / "a"), "api", "--override-python-version", wanted, ".")
    assert got(publisher.server, published.path) == f"plain app on Python {wanted}"


def test_a_range_that_nothing_fits_fails_and_says_so(publisher: Publisher, tmp_path: Path) -> None:
    work = project(tmp_path / "a", ">=3.50")
    done = publisher.deploy(work, "pyproject", ".", check=False)
    assert done.code == 1
    assert "Cannot find compatible environment" in done.output
    assert ">=3.50" in done.output


@pytest.mark.parametrize(("installer", "said"), [("PIP", "with pip"), ("UV", "with uv")])
def test_an_author_chooses_the_installer(publisher: Publisher, tmp_path: Path, installer: str, said: str) -> None:
    work = app(tmp_path / "a", DESK, "flask\nitsdangerous>=2.1\n")
    published = publisher.deploy(work, "flask", "--package-installer", installer, ".")
    assert said in published.output
    assert got(publisher.server, published.path).startswith("desk")


def test_nothing_is_installed_when_the_author_says_so(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", PLAIN.format("unmanaged"), "no-such-package-anywhere-at-all\n")
    published = publisher.deploy(work, "api", "--disable-env-management-py", ".")
    assert got(publisher.server, published.path).startswith("plain unmanaged")
    assert publisher.item(published.guid)["py_environment_management"] is False


def test_requirements_may_lie_elsewhere_in_the_project(publisher: Publisher, tmp_path: Path) -> None:
    work = app(tmp_path / "a", DESK, "no-such-package-anywhere-at-all\n")
    (work / "deploy").mkdir()
    (work / "deploy" / "needs.txt").write_text("flask\n")
    published = publisher.deploy(work, "flask", "-r", "deploy/needs.txt", ".")
    assert got(publisher.server, published.path).startswith("desk")


# Asking before publishing, and what this server does not offer


def test_a_project_is_checked_against_the_server_beforehand(publisher: Publisher, tmp_path: Path) -> None:
    fits = publisher.server.client("preflight", "-n", "rostra", ".", cwd=project(tmp_path / "a", ">=3.9"))
    assert json.loads(fits.stdout)
    not_fitting = project(tmp_path / "b", ">=3.50")
    assert publisher.server.client("preflight", "-n", "rostra", ".", cwd=not_fitting, check=False).returncode == 3


def test_node_is_said_to_be_absent(publisher: Publisher, tmp_path: Path) -> None:
    work = tmp_path / "a"
    work.mkdir()
    (work / "package.json").write_text('{"name": "a", "version": "1.0.0", "main": "app.js"}')
    done = publisher.server.client("preflight", "-n", "rostra", "--runtime", "nodejs", ".", cwd=work, check=False)
    assert "Internal error" not in done.stdout + done.stderr


def test_what_is_not_offered_is_refused_in_words(publisher: Publisher, tmp_path: Path) -> None:
    login = publisher.server.client("login", "-s", publisher.server.url, "--no-wait", cwd=tmp_path, check=False)
    assert login.returncode == 1
    assert "404" in login.stdout + login.stderr


def test_what_was_published_is_remembered_beside_the_source(publisher: Publisher, tmp_path: Path) -> None:
    work = plain(tmp_path / "a")
    published = publisher.deploy(work, "api", ".")
    told = publisher.server.client("info", ".", cwd=work).stdout
    assert published.guid in told
