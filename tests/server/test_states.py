"""Deprecated, retired and back again, while the server runs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.configuring import offer, rostra
from support.direct import new_item
from support.server import Server, running_server
from support.watching import quickly, until

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("states")]


@dataclass
class Pair:
    server: Server
    old: Path
    new: Path

    def wanting(self, version: str, **more: Any) -> dict[str, Any]:
        return {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}, **more}

    def version_of(self, path: Path) -> str:
        return next(version for version, found in interpreters.installed().items() if found == path)

    def publishable(self) -> dict[str, bool]:
        rows = self.server.ask("/__api__/v1/server_settings/python")["installations"]
        return {row["version"]: row["publishable"] for row in rows}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    old, new = interpreters.minor("3.9"), interpreters.minor("3.11")
    if old is None or new is None:
        pytest.skip("needs Python 3.9 and 3.11")
    with running_server(tmp_path_factory.mktemp("states"), [old, new]) as server:
        yield Pair(server, old, new)


@pytest.fixture(autouse=True)
def both(pair: Pair) -> None:
    offer(pair.server, [pair.old, pair.new])
    until(lambda: list(pair.publishable().values()) == [True, True], 5, "both Pythons are offered")


def test_a_deprecated_python_is_chosen_last_and_warns(pair: Pair) -> None:
    old, new = pair.version_of(pair.old), pair.version_of(pair.new)
    offer(pair.server, [pair.old, pair.new], "Deprecated = 3.9")
    until(lambda: pair.publishable() == {old: False, new: True}, 5, "the client's field follows")
    either, only = new_item(pair.server), new_item(pair.server)
    either.deploy(environment={"python": {"requires": ">=3.9"}}, python=pair.wanting(old))
    assert ".".join(map(str, either.told()["python"])) == new, "something else fits"
    done = pair.server.wait_for(only.start_deploy(only.upload(python=pair.wanting(old))))
    assert done["code"] == 0
    assert any("deprecated" in line and line.startswith("Warning") for line in done["output"])
    assert ".".join(map(str, only.told()["python"])) == old


def test_calling_an_api_is_a_hit_and_is_told_soon(pair: Pair) -> None:
    item = new_item(pair.server)
    item.deploy(python=pair.wanting(pair.version_of(pair.new)))
    item.told("some/path")
    listing = f"/__api__/v1/instrumentation/content/hits?content_guid={item.guid}"
    until(lambda: pair.server.ask(listing), 10, "the hit is not told")
    paths = [row["data"]["path"] for row in pair.server.ask(listing)]
    assert f"{item.path}some/path" in paths
    told = json.loads(rostra(pair.server, "runtimes", "audit", "--format", "json").stdout)
    row = next(row for row in told["items"] if row["guid"] == item.guid)
    assert row["visits_30_days"] == len(paths)
    assert row["processes"] == 1


def test_retiring_ends_what_runs_and_taking_it_back_starts_it_again(pair: Pair) -> None:
    item, untouched = new_item(pair.server), new_item(pair.server)
    item.deploy(python=pair.wanting(pair.version_of(pair.old)))
    untouched.deploy(python=pair.wanting(pair.version_of(pair.new)))
    started = untouched.told()["started"]
    assert item.told()
    offer(pair.server, [pair.old, pair.new], "Retired = <3.10")
    until(lambda: quickly(pair.server, item.path) == 502, 10, "it is answered 502")
    assert untouched.told()["started"] == started, "content on another Python was disturbed"
    offer(pair.server, [pair.old, pair.new])
    until(lambda: quickly(pair.server, item.path) == 200, 20, "it is back without a restart")


def test_a_day_that_has_come_counts_and_one_to_come_does_not(pair: Pair) -> None:
    old = pair.version_of(pair.old)
    item = new_item(pair.server)
    item.deploy(python=pair.wanting(old))
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    offer(pair.server, [pair.old, pair.new], f"Retired = 3.9 from {tomorrow}")
    assert item.told()
    assert old in pair.publishable()
    offer(pair.server, [pair.old, pair.new], "Retired = 3.9 from 2020-01-01")
    until(lambda: quickly(pair.server, item.path) == 502, 10, "the day has come long ago")
    assert old not in pair.publishable()
