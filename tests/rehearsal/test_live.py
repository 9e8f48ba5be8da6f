"""Rehearsals on the real thing: real Pythons, real packages, a real server, a representative part of the corpus."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rehearsal.corpus import ITEMS, truth
from support import interpreters
from support.rehearsals import author_version, followed, opened, publish, rehearsed
from support.server import BIN, Server, running_server

from rostra.rehearsal.model import LADDER

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("rehearsal")]
GATE = [item for item in ITEMS if item.gate]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pythons = [interpreters.minor(minor) for minor in ("3.8", "3.13")]
    if None in pythons:
        pytest.skip("no Python 3.8 and 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("rehearsal"), [path for path in pythons if path]) as started:
        yield started


@pytest.fixture(scope="module")
def published(server: Server) -> dict[str, str]:
    """The gate's part of the corpus on 3.8: {guid: name}."""
    return {publish(server, item): item.name for item in GATE}


@pytest.fixture(scope="module")
def rehearsal(server: Server, published: dict[str, str]) -> dict[str, Any]:
    """The report of one rehearsal by the running server, and how the items were just after it."""
    made = ask(server, "POST", "v1/rehearsals", {"retire": "3.8", "keep": True})
    followed(server, made["task_id"])
    report = ask(server, "GET", f"v1/rehearsals/{made['id']}/report")
    after = {guid: ask(server, "GET", f"v1/content/{guid}")["py_version"] for guid in published}
    jobs = {guid: len(ask(server, "GET", f"v1/content/{guid}/jobs")) for guid in published}
    return {**report, "after": after, "jobs": jobs, "left": list((server.data_dir / "rehearsals").iterdir())}


def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    answer = server.get(f"/__api__/{path}", method=method, body=None if body is None else json.dumps(body).encode())
    assert answer.status < 300, answer.text
    return json.loads(answer.body)


def rostra(server: Server, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BIN / "rostra", "runtimes", *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=dict(os.environ),
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def test_each_item_gets_the_outcome_that_is_true(rehearsal: dict[str, Any], published: dict[str, str]) -> None:
    told = truth()
    found = {published[each["guid"]]: each["outcome"] for each in rehearsal["items"]}
    assert found == {name: told[name]["outcome"] for name in published.values()}


@pytest.mark.parametrize(
    ("name", "words", "where"),
    [
        ("imp-top", "imports imp, which the standard library does not have any more", "app.py:1"),
        ("crypt-lazy", "only reached when a function is called", "app.py:5"),
        ("notebook-imp", "No module named 'imp'", "report.ipynb cell 2:1"),
        ("urllib3-1.25", "(in requests)", ""),
        ("numpy-pinned", "numpy 1.19.5 → ", ""),
        ("zoneinfo-backport", "backports-zoneinfo==0.2.1", ""),
        ("own-range", "its own range", ""),
    ],
)
def test_reasons_name_what_is_wrong(
    rehearsal: dict[str, Any], published: dict[str, str], name: str, words: str, where: str
) -> None:
    (result,) = [each for each in rehearsal["items"] if published[each["guid"]] == name]
    assert words.lower() in result["reason"].lower()
    assert where in result["where"]


def test_nothing_live_was_touched(rehearsal: dict[str, Any], published: dict[str, str]) -> None:
    assert set(rehearsal["after"].values()) == {author_version(GATE[0])}
    assert max(rehearsal["jobs"].values()) <= 2, "only the deploy's own: its build and its first process"
    assert rehearsal["left"] == []


def test_what_is_safe_is_moved_and_retiring_follows(
    server: Server, rehearsal: dict[str, Any], published: dict[str, str], tmp_path: Path
) -> None:
    named = ("--server", server.url, "--api-key", server.key)
    refused = rostra(server, "retire", "3.8", *named, check=False)
    assert refused.returncode == 1
    assert "--anyway" in refused.stderr
    moving = ask(server, "POST", f"v1/rehearsals/{rehearsal['id']}/rebuild", {})["tasks"]
    for one in moving:
        followed(server, one["task_id"])
    safe = [guid for guid, name in published.items() if truth()[name]["outcome"] == "safe"]
    assert sorted(each["guid"] for each in moving) == sorted(safe)
    for guid in safe:
        assert ask(server, "GET", f"v1/content/{guid}")["py_version"].startswith("3.13.")
        assert server.get(f"/content/{guid}/").status == 200
    assert rostra(server, "retire", "3.8", "--anyway", *named).stdout.count("Retired = 3.8") == 1


def test_the_command_line_rehearses_on_a_running_server(
    server: Server, published: dict[str, str], tmp_path: Path
) -> None:
    named = ("--server", server.url, "--api-key", server.key)
    page = tmp_path / "report.html"
    done = rostra(server, "rehearse", "--retire", "3.8", "--no-build", "--format", "html", "-o", str(page), *named)
    assert "[" in done.stderr
    assert "imp-top" in page.read_text()


def test_beside_a_running_server_nothing_is_built(server: Server, published: dict[str, str]) -> None:
    done = rostra(server, "rehearse", "--retire", "3.8", "--format", "json", "--config", str(server.config))
    told = json.loads(done.stdout)
    assert "nothing is built or started here" in done.stderr
    assert {each["depth"] for each in told["items"]} <= {"match", "static"}
    assert "--rebuild-safe" not in done.stderr
    refused = rostra(server, "retire", "3.8", "--config", str(server.config), check=False)
    assert refused.returncode == 1
    assert "the last rehearsal started nothing" in refused.stderr


@pytest.mark.fault
def test_a_killed_server_goes_on_with_its_rehearsal(server: Server, published: dict[str, str]) -> None:
    made = ask(server, "POST", "v1/rehearsals", {"retire": "3.8", "fresh": True})
    deadline = time.monotonic() + 120
    while ask(server, "GET", f"v1/rehearsals/{made['id']}")["waiting"] == made["waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(server.children()["control"], signal.SIGKILL)
    while server.get("/__ping__").status != 200:
        time.sleep(0.05)
    seen = followed(server, made["task_id"])
    assert any("beginning again" in line for line in seen["output"])
    told = ask(server, "GET", f"v1/rehearsals/{made['id']}")
    assert (told["state"], told["waiting"]) == ("done", 0)
    assert not list((server.data_dir / "cache/uv").glob(".scratch-*"))


@pytest.mark.anyio
async def test_without_a_server_the_data_folder_is_enough(server: Server, published: dict[str, str]) -> None:
    """Last: it stops the server."""
    server.stop()
    try:
        async with opened(server.config) as bench:
            guids = [guid for guid, name in published.items() if name in ("imp-top", "crypt-lazy")]
            results = await rehearsed(bench, guids, "3.13", LADDER)
        assert {each["outcome"] for each in results} == {"needs-work"}
    finally:
        await asyncio.to_thread(server.start)
