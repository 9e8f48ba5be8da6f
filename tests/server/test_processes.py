"""What happens to visitors when one of the three processes dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import websockets.sync.client
from support import interpreters
from support.direct import Background, Direct, new_item
from support.server import Server, running_server
from support.watching import alive, content_processes, kill, processes_of, quickly, replaced, until, within

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


@pytest.fixture
def app(server: Server) -> Direct:
    """An item of its own for each test: what is killed again and again is started less and less often."""
    item = new_item(server)
    item.deploy()
    assert item.get().status == 200
    return item


def connected(app: Direct) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(app.server.url.replace("http", "ws") + app.path + "echo", proxy=None)


def test_killing_control_leaves_running_content_answering(server: Server, app: Direct) -> None:
    started = app.told()["started"]
    with connected(app) as socket:
        control = server.children()["control"]
        os.kill(control, signal.SIGKILL)
        for _ in range(20):
            assert app.told()["started"] == started
        socket.send("still here")
        assert socket.recv(timeout=5) == "one:still here"
        until(replaced(server, "control", control), 10, "control was not started again")
        until(lambda: quickly(server, "/__api__/v1/user") == 200, 20, "control does not answer")
        socket.send("and after")
        assert socket.recv(timeout=5) == "one:and after"
    assert app.told()["started"] == started


def test_what_was_running_is_taken_over_and_not_started_twice(server: Server, app: Direct) -> None:
    before = processes_of(server, app.guid)
    os.kill(server.children()["control"], signal.SIGKILL)
    until(lambda: quickly(server, "/__api__/v1/user") == 200, 20, "control does not answer")
    assert before
    assert processes_of(server, app.guid) == before
    job = app.told()["job"]
    record = next(record for record in app.jobs() if record["key"] == job)
    assert record["end_time"] is None
    assert app.told()["key"], "a process that goes on keeps its key"
    assert quickly(server, "/__api__/v1/user", Authorization=f"Key {app.told()['key']}") == 200


def test_killing_the_gateway_is_repaired_within_a_second(server: Server, app: Direct) -> None:
    started = app.told()["started"]
    gateway = server.children()["gateway"]
    os.kill(gateway, signal.SIGKILL)
    taken = until(lambda: quickly(server, app.path) == 200, 5, "the gateway did not come back")
    assert server.children()["gateway"] != gateway
    assert app.told()["started"] == started
    assert taken < within(1.0)


def test_a_visitor_who_comes_while_there_is_no_gateway_is_served(server: Server, app: Direct) -> None:
    os.kill(server.children()["gateway"], signal.SIGKILL)
    for _ in range(3):  # the listening socket never closes: whoever connects waits
        assert app.get().status == 200


def test_killing_the_keeper_is_repaired_within_a_second(server: Server, app: Direct) -> None:
    kill(processes_of(server, app.guid))
    usual = until(lambda: quickly(server, app.path) == 200, 30, "content did not come back")
    keeper = server.children()["keeper"]
    os.kill(keeper, signal.SIGKILL)
    repaired = until(replaced(server, "keeper", keeper), 5, "the keeper was not started again")
    assert repaired < within(1.0)
    begun = time.monotonic()
    first = server.get(app.path)
    assert first.status == 200, f"the very first visitor got {first.status}: {first.text}"
    assert time.monotonic() - begun < usual + within(1.0), "starting content took longer than it does anyway"
    alive_now = [job["key"] for job in app.jobs() if job["end_time"] is None]
    assert len(alive_now) == 1, f"one visitor, but these were started: {alive_now}"


def test_nothing_of_content_survives_the_keeper(server: Server, app: Direct) -> None:
    inside = content_processes(server)
    assert inside
    job = app.told()["job"]
    os.kill(server.children()["keeper"], signal.SIGKILL)
    until(lambda: not alive(inside), 2, "content outlived its keeper")
    until(lambda: quickly(server, app.path) == 200, 30, "content did not come back")
    record = next(record for record in app.jobs() if record["key"] == job)
    assert record["end_time"] is not None


def test_a_crashed_process_is_started_again(server: Server, app: Direct) -> None:
    before = app.told()["started"]
    kill(processes_of(server, app.guid))
    until(lambda: quickly(server, app.path) == 200, 30, "content did not come back")
    assert app.told()["started"] != before


def test_the_key_of_a_process_ends_with_it(server: Server, app: Direct) -> None:
    key = app.told()["key"]
    assert quickly(server, "/__api__/v1/user", Authorization=f"Key {key}") == 200
    kill(processes_of(server, app.guid))
    until(lambda: quickly(server, "/__api__/v1/user", Authorization=f"Key {key}") == 401, 5, "the key is still good")


def test_what_crashes_all_the_time_is_started_less_and_less_often(server: Server) -> None:
    item = new_item(server)
    item.deploy("fragile")
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        quickly(server, item.path + "exit")
        time.sleep(0.05)
    starts = [job for job in item.jobs() if job["tag"] != "python_restore"]
    assert 3 <= len(starts) <= 8
    assert item.get().status in (502, 503)
    until(lambda: quickly(server, item.path) == 200, 30, "it is not tried again once the pause is over")


def test_many_visitors_at_once_share_one_start(server: Server) -> None:
    item = new_item(server, max_processes=1)
    item.deploy("shared")
    kill(processes_of(server, item.guid))
    before = len(item.jobs())
    visits = [Background(item) for _ in range(12)]
    for visit in visits:
        visit.join()
    assert [visit.reply.status for visit in visits if visit.reply] == [200] * 12
    assert len(item.jobs()) == before + 1


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11")
    with running_server(tmp_path_factory.mktemp("other"), [python] if python else []) as server:
        yield server


def test_stopping_ends_everything(other: Server) -> None:
    item = new_item(other)
    item.deploy()
    pids = [*other.children().values(), *content_processes(other)]
    assert len(pids) > 3
    assert other.stop() == 0
    assert not alive(pids)
    log = other.log_text()
    assert "Rostra has stopped" in log
    assert "Traceback" not in log
    assert "did not end in time" not in log


def test_a_clean_stop_writes_down_how_content_ended(other: Server) -> None:
    item = new_item(other)
    item.deploy()
    job = item.told()["job"]
    assert other.stop() == 0
    other.start()
    record = next(record for record in item.jobs() if record["key"] == job)
    assert record["exit_code"] == 0
    assert other.stop() == 0


def test_a_process_that_keeps_dying_is_started_with_growing_pauses(other: Server) -> None:
    deaths = 0
    ends = time.monotonic() + 4
    while time.monotonic() < ends:
        if gateway := other.children().get("gateway"):
            kill([gateway])
            deaths += 1
        time.sleep(0.01)
    assert 3 <= deaths <= 8
    until(lambda: quickly(other, "/__ping__") == 200, 15, "the gateway did not come back")
