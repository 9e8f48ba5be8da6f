"""The server is killed while a document is rendered: the run begins again, is made once, and is mailed once."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.direct import Direct, new_item
from support.moments import soon
from support.server import Server, running_server
from support.watching import within

pytestmark = [pytest.mark.server, pytest.mark.fault, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

SOURCE = (
    '{"cells": [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": null, '
    '"source": "import time\\ntime.sleep(2)\\nprint(6 * 7)"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = "[Server]\nEmailProvider = file\nSenderEmail = reports@example.org\n"
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)], extra) as started:
        me = started.ask("/__api__/v1/user")
        started.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        yield started


@pytest.fixture(scope="module")
def item(server: Server) -> Direct:
    made = new_item(server)
    told = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
    made.deploy({"report.ipynb": SOURCE, "requirements.txt": "ipykernel\n"}, metadata=told)
    return made


@pytest.mark.parametrize("seconds", [0.3, 1.5, 3.0, 4.2])
def test_a_killed_run_is_made_once_and_mailed_once(server: Server, item: Direct, seconds: float) -> None:
    renderings = len(server.ask(f"{item.api}/renderings"))
    mails = len(list((server.data_dir / "mail").glob("*.eml")))
    start = soon()
    body = {"type": "day", "schedule": {"N": 1}, "timezone": "UTC", "email": True, "start_time": start}
    assert server.ask(f"{item.api}/schedule", "PUT", body)["next_run"] == start
    time.sleep(dt.datetime.fromisoformat(start).timestamp() + seconds - time.time())
    server.kill()
    server.start()
    deadline = time.monotonic() + within(60)
    while len(server.ask(f"{item.api}/renderings")) == renderings:
        assert time.monotonic() < deadline, server.log_text()[-3000:]
        assert "42" in item.get().text, "the last revision stays"
        time.sleep(0.2)
    while len(list((server.data_dir / "mail").glob("*.eml"))) == mails:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(1)
    found = server.ask(f"{item.api}/renderings")
    assert len(found) == renderings + 1
    assert [one["active"] for one in found] == [True, *[False] * renderings]
    assert len(list((server.data_dir / "mail").glob("*.eml"))) == mails + 1
    folders = {path.name for path in (server.data_dir / "renderings" / item.guid).iterdir()}
    assert len(folders) == len(found), "nothing half-made is left"
