"""Schedules of a real server: what fell due while it was down, and what falls due while the run before still works."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.direct import Direct, new_item
from support.server import Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

HOURLY = {"type": "hour", "schedule": {"N": 1}, "timezone": "UTC", "email": False}


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)]) as started:
        yield started


def published(server: Server, source: str) -> Direct:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "seconds = 0"}
    cells = [cell, {"cell_type": "code", "metadata": {}, "source": source}]
    cells = [{**each, "outputs": [], "execution_count": None, "id": f"c{n}"} for n, each in enumerate(cells)]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    item = new_item(server)
    told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
    item.deploy({"report.ipynb": notebook, "requirements.txt": "ipykernel\n"}, metadata=told)
    return item


def scheduled(item: Direct, start: dt.datetime) -> None:
    item.server.ask(f"{item.api}/schedule", "PUT", HOURLY | {"start_time": start.isoformat(timespec="seconds")})


def fell_due(item: Direct, moment: dt.datetime) -> None:
    """Have the item's schedule due since that moment, as if its clock had come there."""
    with closing(sqlite3.connect(item.server.data_dir / "rostra.db", timeout=60)) as database, database:
        changed = database.execute(
            "UPDATE schedules SET next_run = ? WHERE variant_id IN (SELECT variants.id FROM variants JOIN items ON "
            "items.id = variants.item_id WHERE items.guid = ?)",
            (moment.replace(tzinfo=None, microsecond=0).isoformat(" ") + ".000000", item.guid),
        )
        assert changed.rowcount == 1


def jobs(item: Direct) -> list[dict[str, Any]]:
    """What was rendered and what was skipped, the newest first."""
    found: list[dict[str, Any]] = item.server.ask(f"{item.api}/jobs")
    return found


def test_what_fell_due_while_the_server_was_down_runs_once(server: Server) -> None:
    item = published(server, "print(6 * 7)")
    now = dt.datetime.now(dt.UTC)
    scheduled(item, now + dt.timedelta(minutes=30))
    server.stop()
    fell_due(item, now - dt.timedelta(hours=5, minutes=30))  # six times, until now
    server.start(within=within(60))
    until(lambda: len(item.server.ask(f"{item.api}/renderings")) == 2, within(90), "what was missed does not run")
    after = item.server.ask(f"{item.api}/schedule")
    assert dt.datetime.fromisoformat(after["next_run"]) > now, after
    until(lambda: all(job["exit_code"] == 0 for job in jobs(item)), within(60), "it does not end")
    assert len(jobs(item)) == 2, "the deploy's, and one for all that was missed"


def test_a_run_that_falls_due_while_the_one_before_works_is_skipped_and_says_why(server: Server) -> None:
    item = published(server, "import time\ntime.sleep(seconds)")
    (variant,) = server.ask(f"{item.api}/variants")
    server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"seconds": 600}})
    now = dt.datetime.now(dt.UTC)
    scheduled(item, now + dt.timedelta(minutes=30))
    fell_due(item, now)
    until(lambda: jobs(item)[0]["status"] == 0, within(60), "it does not begin")
    fell_due(item, dt.datetime.now(dt.UTC))
    until(lambda: len(jobs(item)) == 3, within(60), "the second time is not noticed")
    skipped, running, _ = jobs(item)
    assert (skipped["status"], running["status"]) == (3, 0)
    assert "had not ended" in skipped["skip_reason"]
    server.ask(f"{item.api}/jobs/{running['key']}", "DELETE")
    until(lambda: [job["status"] for job in jobs(item)] == [3, 2, 2], within(60), "it does not end")
    assert len(server.ask(f"{item.api}/renderings")) == 1


def test_what_was_replaced_long_ago_goes_with_its_files(server: Server) -> None:
    item = published(server, "print(6 * 7)")
    rendered_again(item)
    replaced, shown = reversed(revisions(item))
    with closing(sqlite3.connect(server.data_dir / "rostra.db", timeout=60)) as database, database:
        then = (dt.datetime.now(dt.UTC) - dt.timedelta(days=31)).replace(tzinfo=None).isoformat(" ")
        old = (replaced, shown)
        changed = database.execute("UPDATE renderings SET rendered_at = ? WHERE id IN (?, ?)", (then, *old))
        assert changed.rowcount == 2
    rendered_again(item)
    newest, *others = revisions(item)
    assert others == [shown], "it was shown until now, however old it is"
    assert [item.get(f"_rev{number}/").status for number in (newest, shown, replaced)] == [200, 200, 404]
    folders = [path for path in (server.data_dir / "renderings" / item.guid).iterdir() if path.name[0] != "."]
    assert len(folders) == 2


def rendered_again(item: Direct) -> None:
    task = item.server.ask(f"{item.api}/render", "POST", {})["task_id"]
    assert item.server.wait_for(task)["code"] == 0


def revisions(item: Direct) -> list[str]:
    """The newest first."""
    return [one["id"] for one in item.server.ask(f"{item.api}/renderings")]
