"""Reading the configuration again while content runs: what changes, what does not, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.direct import new_item
from support.server import BIN, Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


@pytest.fixture
def server(python: str, folder: Path) -> Iterator[Server]:
    with running_server(folder, [Path(python)]) as started:
        yield started


def reload(server: Server) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "rostra", "reload", "--config", server.config], capture_output=True, text=True, timeout=60, check=False
    )


def edit(server: Server, old: str, new: str) -> None:
    text = server.config.read_text()
    assert old in text
    server.config.write_text(text.replace(old, new, 1))


def versions(server: Server) -> list[str]:
    found = server.ask("/__api__/v1/server_settings/python")["installations"]
    return [row["version"] for row in found]


def test_an_interpreter_is_added_within_a_second_and_nothing_is_disturbed(server: Server) -> None:
    other = interpreters.minor("3.13") or interpreters.minor("3.9")
    if other is None:
        pytest.skip("no second Python on this machine")
    item = new_item(server)
    item.deploy()
    started, before = item.told()["started"], versions(server)
    edit(server, "[Python]\n", f"[Python]\nExecutable = {other}\n")
    begun = time.monotonic()
    done = reload(server)
    assert done.returncode == 0, done.stderr
    assert len(versions(server)) == len(before) + 1, "the command returns when it is so"
    assert time.monotonic() - begun < within(3)
    new = next(iter(set(versions(server)) - set(before)))
    python = {"version": new, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    second = new_item(server)
    second.deploy("two", python=python)
    assert ".".join(map(str, second.told()["python"])) == new
    assert item.told()["started"] == started, "content that ran was disturbed"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[Python]\n", "[Python]\nMinimumVersion = 3.99.0\n", "is older than"),
        ("[Python]\n", "[Python]\nNoSuchSetting = 1\n", "NoSuchSetting"),
        ("Enabled = true\nExecutable", "Enabled = perhaps\nExecutable", "perhaps"),
    ],
)
def test_a_refused_configuration_changes_nothing_and_is_explained(server: Server, old: str, new: str, why: str) -> None:
    before = versions(server)
    edit(server, old, new)
    done = reload(server)
    assert done.returncode == 1
    assert why in done.stderr
    assert str(server.config) in done.stderr
    # The same by signal, as a service manager sends it: then the log says it.
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)
    until(lambda: "configuration not reloaded" in server.log_text(), 10, "the log does not say it")
    assert why in server.log_text()
    assert versions(server) == before
    assert server.get("/__ping__").status == 200


@pytest.mark.interpreters
def test_a_real_interpreter_of_old_is_refused_while_content_runs(server: Server) -> None:
    old = interpreters.minor("3.7") or interpreters.minor("3.6")
    if old is None:
        pytest.skip("no Python 3.6 or 3.7 on this machine")
    item = new_item(server)
    item.deploy()
    started, before = item.told()["started"], versions(server)
    edit(server, "[Python]\n", f"[Python]\nExecutable = {old}\n")
    done = reload(server)
    assert done.returncode == 1
    assert f"[Python] Executable = {old}" in done.stderr
    assert "is older than" in done.stderr
    assert versions(server) == before
    assert item.told()["started"] == started


def test_a_configuration_broken_after_the_start_does_not_end_a_server_that_runs(server: Server) -> None:
    item = new_item(server)
    item.deploy()
    started = item.told()["started"]
    edit(server, "[Python]\n", "[Python]\nNoSuchSetting = 1\n")
    os.kill(server.children()["control"], signal.SIGKILL)
    until(lambda: "NoSuchSetting" in server.log_text(), 20, "control did not say why it does not start")
    assert item.told()["started"] == started
    edit(server, "NoSuchSetting = 1\n", "")
    until(lambda: server.get("/__api__/v1/user").status == 200, 30, "control does not come back")
    assert item.told()["started"] == started


def test_what_needs_a_restart_is_named_and_stays_as_it_was(server: Server) -> None:
    edit(server, "[Python]\n", "[Scheduler]\nIdleTimeout = 1s\n[Python]\n")
    done = reload(server)
    assert done.returncode == 0, done.stderr
    assert "Scheduler.IdleTimeout was changed; it counts after a restart" in done.stdout
    assert "Scheduler.IdleTimeout was changed" in server.log_text()


def test_there_must_be_a_server_to_tell(server: Server) -> None:
    assert server.process is not None
    server.process.kill()  # its process id stays behind in the file
    server.process.wait(10)
    done = reload(server)
    assert done.returncode == 1
    assert "no server is running" in done.stderr
