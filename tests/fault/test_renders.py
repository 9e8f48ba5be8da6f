"""``kill -9`` of everything while a document is rendered: readers get the page they had, or the new one whole."""

from __future__ import annotations

import contextlib
import json
import threading
import time

import pytest
from support.aftermath import complaints, orphans, said_of, unfinished
from support.direct import Direct, new_item
from support.server import Server
from support.watching import until, within

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("fault")]

POINTS = 6


def notebook(version: str) -> str:
    code = f"import time\ntime.sleep(0.5)\nprint('this is ' + {version!r})"
    cell = {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": None, "id": "one"}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def publish(item: Direct, version: str) -> tuple[int, str]:
    files = {"page.ipynb": notebook(version), "requirements.txt": "ipykernel\n"}
    number = item.upload(files, metadata={"appmode": "jupyter-static", "entrypoint": "page.ipynb"})
    return number, item.start_deploy(number)


@pytest.fixture(scope="module")
def item(server: Server) -> Direct:
    made = new_item(server)
    done = server.wait_for(publish(made, "v0")[1])
    assert done["code"] == 0, done
    assert "this is v0" in made.get().text
    return made


def test_a_server_killed_while_it_renders_goes_on_as_if_it_had_not_been(server: Server, item: Direct) -> None:
    begun = time.monotonic()
    assert server.wait_for(publish(item, "v1")[1])["code"] == 0
    usual = time.monotonic() - begun
    for number in range(POINTS):
        version = f"v{number + 2}"
        told: list[str] = []
        publishing = threading.Thread(target=lambda: told.append(publish_quietly(item, version)), daemon=True)  # noqa: B023
        publishing.start()
        time.sleep((number + 0.7) / POINTS * usual)
        server.kill()
        until(lambda: not orphans(server), within(3), f"orphans: {orphans(server)}")
        left, before = unfinished(server.data_dir), len(server.log_text())
        server.start()
        publishing.join()
        assert said_of(server.log_text()[before:], left) == []
        shown = item.get().text
        assert f"this is v{number + 1}" in shown or f"this is {version}" in shown
        if told and told[0]:
            assert server.wait_for(told[0])["code"] == 0
            assert f"this is {version}" in item.get().text
        else:  # the order may or may not have been heard; start from a known state again
            assert server.wait_for(publish(item, version)[1])["code"] == 0
        until(lambda: not complaints(server), within(20), str(complaints(server)))


def publish_quietly(item: Direct, version: str) -> str:
    with contextlib.suppress(OSError, AssertionError, ValueError):
        return publish(item, version)[1]
    return ""
