"""How many processes there are, when they end, and what visitors notice of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets.sync.client
from support.direct import Background, Direct, new_item, source
from support.server import Server, running_server
from support.watching import kill, mentioning, paths_below, processes_of, until, within

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]

LOG_BYTES = 40_000


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    more = f"[Scheduler]\nMinProcessesLimit = 2\n[Applications]\nJobLogSize = {LOG_BYTES}\n"
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)], more) as started:
        yield started


def published(server: Server, version: str = "one", **fields: object) -> Direct:
    item = new_item(server, **fields)
    item.deploy(version)
    return item


def files_of(server: Server, item: Direct) -> list[Path]:
    return [path for path in paths_below(server.data_dir) if item.guid in path.name]


def running(item: Direct) -> int:
    """Return how many processes of the item run: each has a private folder that its sandbox names."""
    words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_of(item.server, item.guid)]
    return len({found[1] for line in words if (found := re.search(rb"/run/p/(\w+)", line))})


def connected(item: Direct) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(item.server.url.replace("http", "ws") + item.path + "echo", proxy=None)


def test_what_nobody_uses_ends_and_the_next_visitor_starts_it_again(server: Server) -> None:
    item = published(server, idle_timeout=2)
    before = item.told()["job"]
    until(lambda: not processes_of(server, item.guid), within(2 + 4), "it does not end")
    until(
        lambda: [job for job in item.jobs() if job["key"] == before and job["end_time"]],
        within(10),
        "its end is not told",
    )
    assert item.told()["job"] != before


def test_an_open_connection_is_use(server: Server) -> None:
    item = published(server, idle_timeout=1)
    with connected(item) as socket:
        time.sleep(3)
        socket.send("still here")
        assert socket.recv(timeout=5) == "one:still here"
    until(lambda: not processes_of(server, item.guid), within(1 + 4), "it does not end when the connection has")


def test_the_minimum_is_kept_running_without_any_visitor(server: Server) -> None:
    item = published(server, min_processes=2, max_processes=3, idle_timeout=1)
    until(lambda: running(item) == 2, within(20), "the minimum is not reached")
    time.sleep(3)
    assert running(item) == 2
    kill(processes_of(server, item.guid)[:1])
    until(lambda: running(item) == 2, within(20), "it is not filled up again")
    item.change(min_processes=0)
    until(lambda: running(item) == 0, within(10), "what is not wanted any more does not end")


def test_the_maximum_holds_and_who_finds_no_room_is_told_when_to_come_back(server: Server) -> None:
    item = published(server, max_processes=2, max_conns_per_process=1, load_factor=1)
    slow = [Background(item, "slow?seconds=4") for _ in range(2)]
    until(lambda: running(item) == 2, within(20), "a second process is not started")
    begun = time.monotonic()
    refused = item.get("slow?seconds=0")
    assert refused.status == 503
    assert int({name.lower(): value for name, value in refused.headers.items()}["retry-after"]) > 0
    assert time.monotonic() - begun < within(2)
    for one in slow:
        one.join()
    replies = [one.reply for one in slow if one.reply]
    assert [reply.status for reply in replies] == [200, 200]
    assert len({reply.text for reply in replies}) == 2, "both were answered by one process"
    assert item.get().status == 200


def test_one_more_is_started_before_there_is_no_room(server: Server) -> None:
    item = published(server, max_processes=2, max_conns_per_process=4, load_factor=0.5)
    slow = [Background(item, "slow?seconds=5") for _ in range(3)]
    until(lambda: running(item) == 2, within(20), "no second process although the first is uncomfortable")
    for one in slow:
        one.join()
    assert [one.reply.status for one in slow if one.reply] == [200] * 3


def test_connections_of_one_process_are_limited(server: Server) -> None:
    item = published(server, max_processes=1, max_conns_per_process=2)
    with connected(item), connected(item):
        assert item.get().status == 503
    until(lambda: item.get().status == 200, 5, "there is room again, and it is not used")


def test_a_log_is_bounded_and_keeps_beginning_and_end(server: Server) -> None:
    item = published(server)
    job = item.told()["job"]
    item.told("shout?lines=3000")
    path = server.data_dir / "jobs" / item.guid / f"{job}.log"
    sizes = [part.stat().st_size for part in path.parent.glob(path.name + "*")]
    assert 0 < sum(sizes) <= LOG_BYTES
    item.deploy("two")
    until(lambda: all(record["end_time"] for record in item.jobs() if record["key"] == job), within(15), "it goes on")
    assert 0 < path.stat().st_size <= LOG_BYTES
    text = server.get(f"{item.api}/jobs/{job}/log").text
    assert "line 0 " in text
    assert "line 2999 " in text
    assert "left out here" in text


def test_a_redeploy_lets_old_visitors_finish_while_new_ones_get_the_new_version(server: Server) -> None:
    item = published(server)
    streamed = Background(item, "stream?parts=60")
    with connected(item) as socket:
        socket.send("hello")
        assert socket.recv(timeout=5) == "one:hello"
        item.deploy("two")
        assert item.told()["version"] == "two"
        socket.send("still")
        assert socket.recv(timeout=5) == "one:still"
        assert streamed.is_alive(), "too slow to show anything: stream more parts"
        streamed.join()
    assert streamed.reply
    lines = streamed.reply.text.splitlines()
    assert lines == [*(f"one {number}" for number in range(60)), "end"]
    until(lambda: running(item) == 1, within(10), "the old version's process does not end")
    assert item.told()["version"] == "two"


def test_a_failed_deploy_changes_nothing(server: Server) -> None:
    item = published(server)
    before = item.told()["job"]
    item.deploy({"app.py": source("two", "\nimport not_there_at_all\n")}, good=False)
    assert item.told()["job"] == before
    until(lambda: running(item) == 1, within(10), "something is left of what did not start")


def test_a_changed_variable_reaches_new_processes_only(server: Server) -> None:
    item = published(server)
    with connected(item) as socket:
        before = item.told()
        assert before["greeting"] is None
        server.ask(f"{item.api}/environment", "PATCH", [{"name": "GREETING", "value": "good morning"}])
        until(lambda: item.told()["greeting"] == "good morning", within(10), "it does not arrive")
        assert item.told()["job"] != before["job"]
        socket.send("still here")
        assert socket.recv(timeout=5) == "one:still here"


def test_deleting_ends_processes_and_removes_every_file(server: Server) -> None:
    item = published(server)
    with connected(item):
        assert processes_of(server, item.guid)
        assert server.get(item.api, method="DELETE").status == 204
        assert item.get().status == 404
        until(lambda: not processes_of(server, item.guid), within(10), "its processes go on")
    until(lambda: not files_of(server, item), within(10), "files are left")
    assert not any(item.guid in words for words in mentioning(server.data_dir).values())
    time.sleep(1)  # a log that is still written would be made again
    assert not files_of(server, item)


def test_deleting_during_a_deploy_leaves_nothing_either(server: Server) -> None:
    item = new_item(server)
    number = item.upload({"app.py": source("one", "\nimport time; time.sleep(2)\n")})
    task = item.start_deploy(number)
    until(lambda: processes_of(server, item.guid), within(20), "it is not being proven")
    assert server.get(item.api, method="DELETE").status == 204
    assert server.wait_for(task)["code"] == 1
    until(lambda: not files_of(server, item), within(15), "files are left")
    until(lambda: not processes_of(server, item.guid), within(15), "the process that was proven goes on")
