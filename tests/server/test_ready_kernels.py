"""A kernel waits for a notebook that is rendered again, and never for one that has changed."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.direct import Direct, new_item
from support.server import Server, running_server
from support.watching import mentioning, until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

SOURCE = (
    "import dateutil, os, uuid\n"
    'print(f\'process {uuid.uuid4().hex} says {os.environ.get("GREETING")} key({os.environ["CONNECT_API_KEY"]})\')'
)
READY = "in a kernel that was ready"


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)]) as started:
        yield started


@pytest.fixture
def item(server: Server) -> Direct:
    """A document that was just published, whose kernel waits."""
    made = new_item(server)
    publish(made, SOURCE)
    waits(made)
    return made


def publish(item: Direct, source: str) -> None:
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": "a"}
    notebook = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
    item.deploy({"report.ipynb": notebook, "requirements.txt": "ipykernel\n"}, metadata=told)


def scratches(item: Direct) -> list[Path]:
    return list((item.server.data_dir / "renderings" / item.guid).glob(".scratch-*"))


def kernels(item: Direct) -> dict[int, str]:
    """The sandboxes of the item's kernels: to end one is to end everything in it."""
    return mentioning(item.server.data_dir / "renderings" / item.guid)


def waits(item: Direct) -> None:
    """Wait until the kernel has made the notebook's imports, as far as that is seen from outside."""
    until(lambda: len(scratches(item)) == 1 and kernels(item), within(60), "no kernel waits")


def nothing_waits(item: Direct) -> None:
    until(lambda: not scratches(item) and not kernels(item), within(60), "a kernel still waits")


def again(item: Direct) -> tuple[str, str]:
    """Render once more, and return the page and the log."""
    task = item.server.ask(f"{item.api}/render", "POST", {})
    done = item.server.wait_for(task["task_id"])
    assert done["code"] == 0, done
    page = item.get()
    assert page.status == 200, page.text
    return page.text, "\n".join(done["output"])


def test_a_document_is_rendered_again_in_a_kernel_that_waited(item: Direct) -> None:
    seen = set()
    for _ in range(2):
        waits(item)
        page, log = again(item)
        assert READY in log
        found = re.search(r"process (\w+) says None key\(([\w-]+)\)", page)
        assert found is not None
        seen.add(found.groups())
    assert [len(set(column)) for column in zip(*seen, strict=True)] == [2, 2], "another kernel, and another key"


def test_both_kinds_of_renders_have_a_sample_of_what_they_took(item: Direct) -> None:
    _, log = again(item)
    assert READY in log
    jobs = item.server.ask(f"{item.api}/jobs")
    assert len(jobs) == 2
    for job in jobs:
        until(lambda: taken(item, job["key"]), within(20), "a short render has no sample")  # noqa: B023
        (sample,) = taken(item, job["key"])
        assert 0 < sample["cpu"] < 16
        assert sample["memory"] > 30_000_000


def taken(item: Direct, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = item.server.ask(f"{item.api}/jobs/{job}/metrics")["metrics"]
    return found


def test_a_variable_that_changes_ends_it(item: Direct) -> None:
    item.server.ask(f"{item.api}/environment", "PATCH", [{"name": "GREETING", "value": "hello"}])
    nothing_waits(item)
    page, log = again(item)
    assert "says hello" in page
    assert READY not in log
    waits(item)
    page, log = again(item)
    assert "says hello" in page
    assert READY in log


def test_a_bundle_that_changes_ends_it(item: Direct) -> None:
    publish(item, "print('another one')")
    waits(item)
    page, log = again(item)
    assert "another one" in page
    assert READY in log


def test_a_title_that_changes_does_not(item: Direct) -> None:
    item.change(title="Another title")
    page, log = again(item)
    assert READY in log
    assert "Another title" in page


def test_with_its_item_it_goes(item: Direct) -> None:
    assert item.server.get(item.api, method="DELETE").status == 204
    nothing_waits(item)
    until(
        lambda: not (item.server.data_dir / "renderings" / item.guid).exists(), within(30), "its folder is left behind"
    )


def tell(server: Server) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_with_the_server_it_goes(server: Server, item: Direct, end: str) -> None:
    (server.kill if end == "kill" else server.stop)()
    until(lambda: not kernels(item), within(30), "a kernel outlives the server")
    server.start(within=within(60))
    assert not scratches(item)
    page, log = again(item)
    assert "says None" in page
    assert READY not in log


def test_it_goes_when_it_is_switched_off(server: Server, item: Direct) -> None:
    config = server.config.read_text()
    assert "[Applications]" not in config
    server.config.write_text(config + "\n[Applications]\nWarmKernelMemory = 0\n")
    try:
        tell(server)
        nothing_waits(item)
        _, log = again(item)
        assert READY not in log
        assert not scratches(item)
    finally:
        server.config.write_text(config)
        tell(server)
