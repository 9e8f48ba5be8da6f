"""Two servers with one PostgreSQL: what falls due is rendered once, though each of them is killed in turns."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.database import empty_database
from support.direct import Direct, new_item
from support.server import Server, free_port, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.postgres, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

DOCUMENTS = 4
ROUNDS = 2
SOURCE = "import time\ntime.sleep(1)\nprint(6 * 7)"


def notebook() -> str:
    cell = {"cell_type": "code", "metadata": {}, "source": SOURCE, "outputs": [], "execution_count": None, "id": "a"}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@contextlib.contextmanager
def twin(server: Server, folder: Path) -> Iterator[Server]:
    """Run a second server on the same database, with a copy of the first one's files. That one is not running."""
    shutil.copytree(server.data_dir, folder / "data", symlinks=True, ignore=shutil.ignore_patterns("run", "cache"))
    port = free_port()
    config, url = folder / "rostra.gcfg", f"http://127.0.0.1:{port}"
    config.write_text(
        server.config.read_text()
        .replace(str(server.data_dir), str(folder / "data"))
        .replace(f"127.0.0.1:{server.port}", f"127.0.0.1:{port}")
    )
    made = dataclasses.replace(
        server, url=url, data_dir=folder / "data", config=config, log=folder / "server.log", process=None
    )
    try:
        made.start(within=within(60))
        yield made
    finally:
        if made.process is not None:
            made.kill()


@pytest.fixture
def database(postgres_socket: Path) -> Iterator[str]:
    with empty_database(postgres_socket) as lines:
        yield lines


def rows(database: str, question: str) -> list[tuple[Any, ...]]:
    found = re.search(r"postgres@/(\w+)\?host=(\S+)", database)
    assert found
    with psycopg.connect(f"host={found[2]} user=postgres dbname={found[1]}") as connection:
        return connection.execute(question).fetchall()  # type: ignore[call-overload,no-any-return]


def published(server: Server) -> list[Direct]:
    made = []
    for _ in range(DOCUMENTS):
        item = new_item(server)
        told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
        item.deploy({"report.ipynb": notebook(), "requirements.txt": "ipykernel\n"}, metadata=told)
        made.append(item)
    return made


RUNS = "SELECT subject, finished_at IS NOT NULL, exit_code FROM tasks WHERE kind = 'scheduled-render'"


def test_each_due_run_is_made_once_though_servers_are_killed_in_turns(
    python: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_server(tmp_path_factory.mktemp("a"), [Path(python)], database) as first:
        items = published(first)
        first.stop()
        with twin(first, tmp_path_factory.mktemp("b")) as second:
            first.start(within=within(60))
            due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
            body = {"type": "day", "schedule": {"N": 1}, "timezone": "UTC", "email": False}
            for item in items:
                first.ask(f"{item.api}/schedule", "PUT", body | {"start_time": due.isoformat(timespec="seconds")})
            until(lambda: rows(database, RUNS), within(60), "nothing falls due")
            for number in range(ROUNDS):
                for victim in (first, second):
                    time.sleep(0.4 + 0.5 * number)  # wherever it is then
                    victim.kill()
                    victim.start(within=within(60))
            until(
                lambda: [done for _, done, _ in rows(database, RUNS)] == [True] * DOCUMENTS,
                within(120),
                "the runs do not end",
            )
            assert sorted(rows(database, RUNS)) == sorted((item.guid, True, 0) for item in items)
            for item in items:
                shown = first.ask(f"{item.api}/renderings")
                assert [one["active"] for one in shown] == [True, False], "the deploy's, and one of the schedule"
                jobs = first.ask(f"{item.api}/jobs")
                assert [job["exit_code"] for job in jobs] == [0, 0]
