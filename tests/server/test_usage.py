"""What a server records of use: who had content open, and what its processes took."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import websockets.sync.client
from support.direct import Direct, new_item
from support.server import Server
from support.watching import quickly, replaced, until, within

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


@pytest.fixture(scope="module")
def item(server: Server) -> Direct:
    made = new_item(server)
    made.deploy()
    assert made.get().status == 200
    return made


def sessions(item: Direct) -> list[dict[str, Any]]:
    path = f"/__api__/v1/instrumentation/shiny/usage?content_guid={item.guid}&asc_order=false"
    found: list[dict[str, Any]] = item.server.ask(path)["results"]
    return found


def connected(item: Direct, key: str = "") -> websockets.sync.client.ClientConnection:
    headers = {"Authorization": f"Key {key}"} if key else {}
    url = item.server.url.replace("http", "ws") + item.path + "echo"
    return websockets.sync.client.connect(url, additional_headers=headers, proxy=None)


def test_a_websocket_is_a_session_from_its_beginning_to_its_end(server: Server, item: Direct) -> None:
    me = server.ask("/__api__/v1/user")["guid"]
    with connected(item, server.key):
        until(lambda: sessions(item), within(10), "the session is recorded")
        (row,) = sessions(item)
        assert (row["user_guid"], row["ended"]) == (me, None)
    until(lambda: sessions(item)[0]["ended"], within(10), "its end is recorded")
    (row,) = sessions(item)
    assert row["ended"] >= row["started"]


def test_a_session_outlives_control(server: Server, item: Direct) -> None:
    before = len(sessions(item))
    with connected(item) as ws:
        until(lambda: len(sessions(item)) == before + 1, within(10), "the session is recorded")
        control = server.children()["control"]
        os.kill(control, signal.SIGKILL)
        until(replaced(server, "control", control), within(20), "another control runs")
        until(lambda: quickly(server, "/__api__/v1/user") == 200, within(30), "it answers")
        ws.send("still here")
        assert ws.recv(within(5)) == "one:still here"
    until(lambda: sessions(item)[0]["ended"], within(20), "its end is recorded by the next control")
    assert len(sessions(item)) == before + 1
    assert sessions(item)[0]["user_guid"] is None


def test_what_runs_is_listed_with_what_it_takes(server: Server, item: Direct) -> None:
    item.get()
    running = [job for job in item.jobs() if job["status"] == 0]
    assert running
    found = server.ask("/__api__/metrics/procs")
    row = found[running[0]["pid"]]
    assert (row["appGuid"], row["jobKey"], row["type"]) == (item.guid, running[0]["key"], "run_fastapi_app")
    assert 5_000_000 < row["ram"] < 1_000_000_000
    assert 0 <= row["cpuCurrent"] <= row["cpuTotal"]
    assert row["processes"] >= 1


def test_it_is_recorded_while_it_runs(item: Direct) -> None:
    def samples() -> list[dict[str, Any]]:
        item.get()  # a visit now and then keeps the process
        keys = [job["key"] for job in item.jobs() if job["status"] == 0]
        return [row for key in keys for row in item.server.ask(f"{item.api}/jobs/{key}/metrics")["metrics"]]

    until(lambda: len(samples()) >= 1, within(60), "a sample is recorded")
    assert samples()[0]["memory"] > 5_000_000
