"""A backup is taken of a running server, its data folder is lost, and the restored one serves the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.direct import Direct, new_item, source
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
    assert server.get("/sales/").status == 200, "the first visitor is served"
    assert Direct(server, item.guid).told()["greeting"] == "hello", "variables can be read: their key came along"
    assert "kept" in page.get().text
    assert later.get().status == 404, "what came after the backup is unknown"
    assert server.ask(item.api)["title"] == "Sales"
    item.deploy("two")
    assert item.told()["version"] == "two"


# Big enough to be linked as a whole, and of Python alone.
BIG = "narwhals==1.40.0"
IMPORTS = "\nimport narwhals\nassert narwhals.from_native is not None\n"


def made_at(server: Server) -> dict[str, str]:
    """Return when each environment was made."""
    records = (server.data_dir / "environments").rglob("rostra.json")
    told = [json.loads(path.read_text()) for path in records]
    return {each["key"]: each["created_at"] for each in told}


@pytest.mark.parametrize("environments", [True, False], ids=["with environments", "without"])
def test_environments_serve_at_once_when_the_backup_has_them(
    server: Server, tmp_path: Path, environments: bool
) -> None:
    """Also one that is put together from links into packages that are kept unpacked."""
    first, second = new_item(server), new_item(server)
    first.deploy({"app.py": source(more=IMPORTS), "requirements.txt": f"{BIG}\nsix==1.17.0\n"})
    kept = server.data_dir / "unpacked"
    until(lambda: list(kept.glob("*/narwhals-1.40.0/about.json")), within(30), "packages are kept")
    second.deploy({"app.py": source(more=IMPORTS), "requirements.txt": f"{BIG}\n"})
    assert list((server.data_dir / "environments").rglob("site-packages/narwhals/__init__.py"))
    linked = [path for path in (server.data_dir / "environments").rglob("narwhals") if path.is_symlink()]
    assert len(linked) == 1, "one of the two is put together"
    before = made_at(server)
    wanted = () if environments else ("--without-environments",)
    rostra("backup", "--output", tmp_path / "b.tar.gz", "--config", server.config, *wanted)
    server.stop()
    shutil.rmtree(server.data_dir)

    rostra("restore", tmp_path / "b.tar.gz", "--config", server.config)
    assert (made_at(server) == before) is environments
    server.start()
    for item in (first, second):
        until(lambda item=item: environments or item.get().status == 200, within(90), "it is installed again")
        assert item.get().status == 200, "the first visitor is served"
    after = made_at(server)
    assert after.keys() == before.keys()
    assert (after == before) is environments, "what was restored was used as it is"
