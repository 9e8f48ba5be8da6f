"""A backup is taken of a running server, its data folder is lost, and the restored one serves the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.direct import Direct, new_item
from support.server import BIN, Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("backup")]


@pytest.fixture
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)]) as started:
        yield started


def rostra(*words: str | Path) -> str:
    done = subprocess.run(
        [BIN / "rostra", *words], capture_output=True, text=True, timeout=300, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_lost_is_served_again(server: Server, tmp_path: Path) -> None:
    item = new_item(server, title="Sales")
    item.deploy("one")
    server.ask(f"{item.api}/vanity", "PUT", {"path": "/sales/"})
    server.ask(f"{item.api}/environment", "PATCH", [{"name": "GREETING", "value": "hello"}])
    page = new_item(server)
    page.deploy({"index.html": "<p>kept</p>"}, metadata={"appmode": "static", "primary_html": "index.html"})
    file = tmp_path / "backup.tar.gz"
    said = rostra("backup", "--output", file, "--config", server.config)
    assert "secrets" in said
    assert item.told()["version"] == "one", "the server went on"
    later = new_item(server)
    later.deploy("later")
    server.stop()
    shutil.rmtree(server.data_dir)

    assert "Next: rostra serve" in rostra("restore", file, "--config", server.config)
    server.start()
    until(lambda: server.get("/sales/").status == 200, within(60), "what was restored does not answer")
    assert Direct(server, item.guid).told()["greeting"] == "hello", "variables can be read: their key came along"
    assert "kept" in page.get().text
    assert later.get().status == 404, "what came after the backup is unknown"
    assert server.ask(item.api)["title"] == "Sales"
    item.deploy("two")
    assert item.told()["version"] == "two"
