"""Every rule of choosing a Python, with real ones: the unmodified client publishes, and content says what it runs on.

Rows are those of docs/explanation/matching.md, for the releases that this machine has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.configuring import offer
from support.publishing import Published, Publisher
from support.server import Server, running_server

pytestmark = [pytest.mark.compat, pytest.mark.interpreters, pytest.mark.xdist_group("matching")]

SOURCE = """
import sys

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d.%d.%d" % sys.version_info[:3]]
"""
MINORS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def releases(minor: str) -> list[str]:
    """Return the releases of a series that this machine has, oldest first."""
    return [version for version in interpreters.installed() if version.startswith(f"{minor}.")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not releases("3.8") or not releases("3.11"):
        pytest.skip("no Python 3.8 or 3.11 on this machine")
    with running_server(tmp_path_factory.mktemp("m"), pythons()) as started:
        yield started


def pythons() -> list[Path]:
    return [interpreters.installed()[version] for minor in MINORS for version in releases(minor)]


def publish(server: Server, work: Path, version: str, *more: str, check: bool = True) -> Published:
    """Publish with the client what was written on that very Python."""
    work.mkdir(parents=True, exist_ok=True)
    files = {"app.py": SOURCE, "requirements.txt": ""}
    for name, text in files.items():
        (work / name).write_text(text)
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-api", "entrypoint": "app:app"},
        "python": {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
        "files": {name: {"checksum": ""} for name in files},
    }
    (work / "manifest.json").write_text(json.dumps(manifest))
    return Publisher(server, work).deploy(work, "manifest", *more, "manifest.json", check=check)


def chosen(made: Published) -> tuple[str, str]:
    """Return the version that the deploy log names, and why."""
    found = re.search(r"Using Python (\S+) from \S+: ([^\x1b\n]+)", made.output)
    assert found, made.output
    return found[1], found[2]


@pytest.mark.parametrize("minor", MINORS)
def test_the_same_release_is_taken(server: Server, tmp_path: Path, minor: str) -> None:
    if not releases(minor):
        pytest.skip(f"no Python {minor} on this machine")
    for version in releases(minor):
        made = publish(server, tmp_path / version, version)
        assert chosen(made) == (version, "Chose exact match")
        assert server.get(made.path).text == version


def test_else_the_lowest_after_it_else_the_latest(server: Server, tmp_path: Path) -> None:
    there = releases("3.11")
    if len(there) < 2:
        pytest.skip("needs two patch releases of Python 3.11")
    first, last = there[0], there[-1]
    between = f"3.11.{int(first.rpartition('.')[2]) + 1}"
    assert between not in there
    for wanted, expected, why in (
        ("3.11.0", first, "Chose lowest 3.11.X release after 3.11.0"),
        (between, there[1], f"Chose lowest 3.11.X release after {between}"),
        ("3.11.99", last, "Chose the latest 3.11.X release since all are before 3.11.99"),
    ):
        made = publish(server, tmp_path / wanted, wanted)
        assert chosen(made) == (expected, why)
        assert server.get(made.path).text == expected


def test_what_two_authors_have_goes_side_by_side(server: Server, tmp_path: Path) -> None:
    if not releases("3.9"):
        pytest.skip("no Python 3.9 on this machine")
    alice, bob = (publish(server, tmp_path / version, version) for version in ("3.9.7", "3.8.1"))
    assert server.get(alice.path).text.startswith("3.9.")
    assert server.get(bob.path).text.startswith("3.8.")
    assert server.get(alice.path).text.startswith("3.9.")


def test_another_series_is_never_taken(server: Server, tmp_path: Path) -> None:
    made = publish(server, tmp_path / "a", "3.7.9", check=False)
    assert made.code == 1
    assert "no compatible Local environment with Python version 3.7.9" in made.output
    offer(server, [path for path in pythons() if path != interpreters.minor("3.10")])
    try:
        if releases("3.10"):
            assert publish(server, tmp_path / "b", "3.10.0", check=False).code == 1
    finally:
        offer(server, pythons())


def test_an_exact_server_takes_the_same_release_only(server: Server, tmp_path: Path) -> None:
    version = releases("3.11")[-1]
    offer(server, pythons(), "VersionMatching = exact")
    try:
        made = publish(server, tmp_path / "a", version)
        assert server.get(made.path).text == version
        refused = publish(server, tmp_path / "a", "3.11.99", "--app-id", made.guid, check=False)
        assert refused.code == 1
        assert "no compatible Local environment with Python version 3.11.99" in refused.output
        assert server.get(made.path).text == version, "what ran goes on"
    finally:
        text = server.config.read_text()
        server.config.write_text(text.replace("VersionMatching = exact\n", ""))
        offer(server, pythons())
