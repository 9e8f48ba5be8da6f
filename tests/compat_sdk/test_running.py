"""What the SDK knows of content that runs and is rendered: it is published here, and the SDK reads and changes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websockets.sync.client
from support.direct import Direct, new_item

pytestmark = [pytest.mark.compat, pytest.mark.server]
START = """
import time
from posit import connect
client = connect.Client()
item = client.content.get("GUID")

def until(what, seconds=120):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "not within time"
        time.sleep(0.2)
    return found
"""
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "source": "print(6 * 7)", "metadata": {}, "outputs": [], "execution_count": None}
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
)

APP = {
    "its jobs, and the end of one": """
assert item.is_interactive and not item.is_rendered
(job, *_) = [job for job in item.jobs if job["status"] == 0 and job["tag"] == "run_fastapi_app"]
assert dict(item.jobs.find(job["key"])) == dict(job)
job.destroy()
until(lambda: item.jobs.find(job["key"])["status"] != 0)
ended = item.jobs.find(job["key"])
assert dict(ended) == dict(item.jobs.find(job["key"])) and ended["end_time"]
""",
    "restarting it": """
before = {job["key"] for job in item.jobs if job["status"] == 0}
item.restart()
until(lambda: {job["key"] for job in item.jobs if job["status"] == 0} - before)
assert item.environment_variables.find() == []
""",
    "its packages": """
assert list(item.packages) == []
assert item["guid"] not in {each["app_guid"] for each in client.packages.fetch()}
""",
    "who had it open": """
me = client.me["guid"]
rows = until(lambda: client.metrics.usage.find(content_guid=item["guid"]))
assert {row["content_guid"] for row in rows} == {item["guid"]}
(row,) = [row for row in rows if row["user_guid"] == me]
assert row["started"] and until(lambda: client.metrics.usage.find_one(content_guid=item["guid"])["ended"])
hits = list(client.metrics.hits.fetch())
assert item["guid"] in [hit["content_guid"] for hit in hits]
""",
}


@pytest.fixture(scope="module")
def app(released: Any) -> Direct:
    """An application that runs, whose WebSocket its owner had open once."""
    made = new_item(released.server)
    made.deploy()
    url = released.server.url.replace("http", "ws") + made.path + "echo"
    key = {"Authorization": f"Key {released.server.key}"}
    with websockets.sync.client.connect(url, additional_headers=key, proxy=None) as ws:
        ws.send("hello")
        assert ws.recv(60) == "one:hello"
    return made


@pytest.mark.parametrize("what", APP)
def test_an_application(released: Any, app: Direct, what: str) -> None:
    app.get()  # something runs
    released.run(START.replace("GUID", app.guid) + APP[what])


DOCUMENT = """
assert item.is_rendered and not item.is_interactive
task = item.render()
task.wait_for()
assert task["code"] == 0, task
variants = client.get(f"applications/{item['guid']}/variants").json()
assert [variant["is_default"] for variant in variants] == [True]
"""
SCHEDULE = """
assert item.schedule.find_one() is None
made = item.schedule.create(type="dayofweek", days=["monday", "friday"], timezone="America/New_York")
assert (made["type"], made["timezone"], made["activate"]) == ("dayofweek", "America/New_York", True)
changed = item.schedule.create(type="hour", n=2)
assert (changed["id"], changed["type"], changed["activate"]) == (made["id"], "hour", True)
assert dict(item.schedule.find_one()) == dict(changed)
item.schedule.delete(); item.schedule.delete()
assert item.schedule.find_one() is None
"""


@pytest.fixture(scope="module")
def document(sdk: Any) -> Direct:
    made = new_item(sdk.server)
    manifest = {"metadata": {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}}
    made.deploy({"report.ipynb": NOTEBOOK}, **manifest)
    return made


def test_a_document_is_rendered_again(sdk: Any, document: Direct) -> None:
    sdk.run(START.replace("GUID", document.guid) + DOCUMENT)


def test_a_document_has_a_schedule(sdk: Any, document: Direct) -> None:
    sdk.run("import warnings; warnings.simplefilter('ignore')\n" + START.replace("GUID", document.guid) + SCHEDULE)
