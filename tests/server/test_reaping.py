"""Environments that nothing needs: listed, removed by hand and by the clock, and never one that is used."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.configuring import rostra
from support.direct import Direct, new_item
from support.server import Server, running_server

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("reaping")]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("reap"), [python]) as started:
        yield started


def files(package: str) -> dict[str, str]:
    from support.direct import source

    return {"app.py": source(), "requirements.txt": f"{package}\n"}


def listed(server: Server) -> dict[str, dict[str, Any]]:
    found = json.loads(rostra(server, "environments", "list", "--format", "json").stdout)
    return {row["key"]: row for row in found if row["sort"] == "environment"}


def make_old(server: Server, days: float) -> None:
    """Let every environment look as if it had been used and made so long ago."""
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    with sqlite3.connect(server.data_dir / "rostra.db", timeout=30) as database:
        database.execute("UPDATE environments SET used_at = ?", (then.strftime("%Y-%m-%d %H:%M:%S.%f"),))
    database.close()
    for path in (server.data_dir / "environments").glob("python/*/*/rostra.json"):
        told = json.loads(path.read_text())
        path.chmod(0o644)
        path.write_text(json.dumps(told | {"created_at": then.isoformat()}))


def orphaned(server: Server) -> tuple[Direct, str, str]:
    """Return an item, the environment it uses, and one that only a deleted bundle used."""
    item = new_item(server, title="Kept")
    first = item.deploy(files("iniconfig==2.0.0"))
    item.deploy(files("toml==0.10.2"))
    assert item.told()
    keys = set(listed(server))
    server.get(f"{item.api}/bundles/{first}", method="DELETE")
    states = {key: row["state"] for key, row in listed(server).items()}
    assert sorted(states.values()) == ["orphan", "ready"]
    assert set(states) == keys
    used, orphan = sorted(states, key=lambda key: states[key] == "orphan")
    return item, used, orphan


def test_the_list_says_what_is_there_running_or_stopped(server: Server) -> None:
    item, used, orphan = orphaned(server)
    rows = listed(server)
    assert rows[used]["items"] == [{"guid": item.guid, "title": "Kept", "live": True}]
    assert rows[used]["processes"] == 1
    assert rows[used]["used_at"]
    assert rows[used]["own_bytes"] + rows[used]["shared_bytes"] > 0
    assert rows[orphan]["items"] == []
    table = rostra(server, "environments", "list").stdout
    assert "orphan" in table
    assert "Kept" in table
    assert "(overlay)" in table
    server.stop()
    assert {key: row["state"] for key, row in listed(server).items()} == {used: "ready", orphan: "orphan"}
    assert (
        rostra(server, "environments", "list", "--format", "csv").stdout.splitlines()[0].startswith("sort,python,key")
    )


def test_only_what_nobody_needs_goes(server: Server) -> None:
    item, used, orphan = orphaned(server)
    rostra(server, "environments", "reap", "--unused-for", "30d")
    assert set(listed(server)) == {used, orphan}, "both were used today"
    server.stop()  # it remembers what it used itself
    make_old(server, 40)
    server.start()
    dry = rostra(server, "environments", "reap", "--unused-for", "30d", "--dry-run").stdout
    assert f"Would remove environment {orphan}" in dry
    assert set(listed(server)) == {used, orphan}
    done = rostra(server, "environments", "reap").stdout
    assert f"Removed environment {orphan}" in done
    assert set(listed(server)) == {used}
    assert item.told()
    assert rostra(server, "environments", "reap", "--unused-for", "1m", check=False).returncode == 1


def test_with_the_server_stopped_it_is_done_at_once(server: Server) -> None:
    _, used, orphan = orphaned(server)
    make_old(server, 40)
    server.stop()
    assert f"Removed environment {orphan}" in rostra(server, "environments", "reap", "--unused-for", "7d").stdout
    assert set(listed(server)) == {used}
    server.start()
    assert set(listed(server)) == {used}


@pytest.mark.fault
def test_a_crash_while_reaping_leaves_whole_environments_or_none(server: Server, tmp_path: Path) -> None:
    item, used, orphan = orphaned(server)
    make_old(server, 40)
    with sqlite3.connect(server.data_dir / "rostra.db", timeout=30) as database:
        # What `rostra environments reap` adds; killed at whatever point it has reached.
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        payload = json.dumps({"unused_for": 86400.0, "dry_run": False})
        database.execute(
            "INSERT INTO tasks (id, kind, payload, subject, created_at, attempts, exit_code, error) "
            "VALUES ('reap', 'reap-environments', ?, 'reap-environments', ?, 0, 0, '')",
            (payload, now),
        )
    database.close()
    for _ in range(2):
        server.kill()
        server.start()
    server.wait_for("reap")
    assert set(listed(server)) == {used}
    assert orphan not in listed(server)
    assert not list((server.data_dir / "environments").rglob(".scratch-*"))
    assert item.told()
