"""What happens to visitors when one of the three processes dies."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import websockets.sync.client

from compat.conftest import Publisher, app
from support.server import Server, running_server

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]

SOURCE = """
import asyncio, os
from fastapi import FastAPI, WebSocket
app = FastAPI()
@app.get("/")
def index():
    return {"pid": os.getpid(), "started": STARTED}
STARTED = os.times().elapsed
@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())
"""


@pytest.fixture(scope="module")
def path(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("app")
    published = Publisher(server, folder).deploy(app(folder / "a", SOURCE, "fastapi\n"), "fastapi", ".")
    assert server.get(published.path).status == 200
    return published.path


def until(good: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until ``good``; return how long it took."""
    begun = time.monotonic()
    while not good():
        assert time.monotonic() - begun < seconds, what
        time.sleep(0.02)
    return time.monotonic() - begun


def answers(server: Server, path: str) -> bool:
    try:
        return server.get(path).status == 200
    except OSError:
        return False


def replaced(server: Server, name: str, old: int) -> Callable[[], bool]:
    return lambda: server.children().get(name, old) != old


def test_killing_control_leaves_running_content_answering(server: Server, path: str) -> None:
    started = json.loads(server.get(path).text)["started"]
    address = server.url.replace("http", "ws") + path + "echo"
    with websockets.sync.client.connect(address, additional_headers={"Authorization": f"Key {server.key}"}) as socket:
        control = server.children()["control"]
        os.kill(control, signal.SIGKILL)
        for _ in range(20):
            answer = server.get(path)
            assert answer.status == 200, answer.text
            assert json.loads(answer.text)["started"] == started
        socket.send("still here")
        assert socket.recv(timeout=5) == "still here"
        until(replaced(server, "control", control), 10, "control was not started again")
        until(lambda: server.get("/__api__/v1/user").status == 200, 20, "control does not answer")
        socket.send("and after")
        assert socket.recv(timeout=5) == "and after"
    assert json.loads(server.get(path).text)["started"] == started


def test_killing_the_gateway_is_repaired(server: Server, path: str) -> None:
    started = json.loads(server.get(path).text)["started"]
    gateway = server.children()["gateway"]
    os.kill(gateway, signal.SIGKILL)
    until(lambda: answers(server, path), 5, "the gateway did not come back")
    assert server.children()["gateway"] != gateway
    assert json.loads(server.get(path).text)["started"] == started


def test_killing_the_keeper_is_repaired(server: Server, path: str) -> None:
    keeper = server.children()["keeper"]
    os.kill(keeper, signal.SIGKILL)
    until(replaced(server, "keeper", keeper), 5, "the keeper was not started again")
    until(lambda: answers(server, path), 30, "content did not come back")


def test_nothing_of_content_survives_the_keeper(server: Server, path: str) -> None:
    inside = content_processes(server)
    assert inside
    keeper = server.children()["keeper"]
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside), 5, "content outlived its keeper")
    until(lambda: answers(server, path), 30, "content did not come back")


def test_a_crashed_process_is_started_again(server: Server, path: str) -> None:
    before = json.loads(server.get(path).text)["started"]
    for pid in content_processes(server):
        os.kill(pid, signal.SIGKILL)
    until(lambda: answers(server, path), 30, "content did not come back")
    assert json.loads(server.get(path).text)["started"] != before


def test_many_visitors_at_once_share_one_start(server: Server, path: str, tmp_path: Path) -> None:
    published = Publisher(server, tmp_path).deploy(app(tmp_path / "b", SOURCE, "fastapi\n"), "fastapi", "--new", ".")
    for pid in content_processes(server):
        os.kill(pid, signal.SIGKILL)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(server.get(published.path).status)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


def test_stopping_ends_everything(tmp_path: Path, server: Server) -> None:
    (tmp_path / "other").mkdir()
    with running_server(tmp_path / "other", []) as other:
        pids = list(other.children().values())
        assert len(pids) == 3
        assert other.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def content_processes(server: Server) -> list[int]:
    """Return the pids of everything that runs below the keeper."""
    found, parents = [], {server.children()["keeper"]}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    while parents:
        parents = {child for parent in parents for child in children.get(parent, ())}
        found += sorted(parents)
    return found
