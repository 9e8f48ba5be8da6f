"""Starting: what is refused and how it is said, what is said of the host, and starting again after a crash."""

from __future__ import annotations

import http.client
import http.cookies
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support import interpreters
from support.direct import new_item
from support.server import BIN, Server, free_port, running_server
from support.watching import alive, content_processes, kill, mentioning, quickly, until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


def configured(folder: Path, python: str, **changes: str) -> Path:
    """Write a configuration; ``changes`` replace whole lines by setting: ``DataDir="…"``."""
    given = {
        "DataDir": str(folder / "data"),
        "Listen": f"127.0.0.1:{free_port()}",
        "Python": "",
        "Applications": "",
    } | changes
    file = folder / "rostra.gcfg"
    file.write_text(
        f"[Server]\nDataDir = {given['DataDir']}\n[HTTP]\nListen = {given['Listen']}\n"
        f"[Python]\nEnabled = true\nExecutable = {python}\n{given['Python']}\n[Applications]\n{given['Applications']}\n"
    )
    return file


def serve(config: Path, *before: str | Path) -> tuple[int, str]:
    """Run a server that is expected to end by itself; return its status and what it said."""
    done = subprocess.run(
        [*before, BIN / "rostra", "serve", "--config", config], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_an_interpreter_below_the_minimum_is_refused_with_its_line(folder: Path, python: str) -> None:
    config = configured(folder, python, Python="MinimumVersion = 3.99.0")
    code, said = serve(config)
    assert code == 78
    assert f"{config}:7" in said
    assert python in said
    assert "3.99.0" in said
    assert "starting it again" not in said
    assert not mentioning(folder)


@pytest.mark.interpreters
def test_a_real_interpreter_of_old_beside_a_good_one_is_refused(folder: Path, python: str) -> None:
    old = interpreters.minor("3.7") or interpreters.minor("3.6")
    if old is None:
        pytest.skip("no Python 3.6 or 3.7 on this machine")
    version = next(version for version, path in interpreters.installed().items() if path == old)
    config = configured(folder, python, Python=f"Executable = {old}")
    code, said = serve(config)
    assert code == 78
    assert f"{config}:8: [Python] Executable = {old}: Python {version} is older than" in said
    config.write_text(config.read_text().replace(f"Executable = {old}\n", ""))
    checked = subprocess.run([BIN / "rostra", "config", "check", "--config", config], capture_output=True, check=False)
    assert checked.returncode == 0, "without the line it may start"


def test_every_mistake_in_the_configuration_is_said_at_once(folder: Path, python: str) -> None:
    config = configured(folder, python, Applications="Sandbox = perhaps\nJobLogSise = 1\n")
    code, said = serve(config)
    assert code == 1
    assert f"{config}:10" in said
    assert f"{config}:11" in said
    assert "JobLogSize" in said


def test_a_port_that_is_taken_is_refused(folder: Path, python: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        code, said = serve(configured(folder, python, Listen=where))
    assert code == 1
    assert where in said
    assert "HTTP.Listen" in said


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/proc/rostra", "nobody may write there"),
        ("/etc/hostname/data", "a file is in the way"),
        ("/tmp/" + "x" * 100, "too long for sockets"),
    ],
)
def test_a_data_folder_that_cannot_be_used_is_refused(folder: Path, python: str, place: str, why: str) -> None:
    code, said = serve(configured(folder, python, DataDir=place))
    assert code == 1, why
    assert place in said
    assert "Server.DataDir" in said
    assert not Path(place).exists()


def test_a_sandbox_that_is_required_and_not_there_is_refused(folder: Path, python: str) -> None:
    bwrap, unshare = shutil.which("bwrap"), shutil.which("unshare")
    if os.geteuid() != 0 or not unshare:
        pytest.skip("only root can hide a program")
    config = configured(folder, python, Applications="Sandbox = required")
    hide = f"mount --bind /dev/null {bwrap} && " if bwrap else ""
    code, said = serve(config, unshare, "--mount", "sh", "-c", hide + 'exec "$@"', "sh")
    assert code == 78
    assert "bubblewrap" in said
    assert "Applications.Sandbox" in said
    assert "starting it again" not in said
    assert not mentioning(folder)


def test_a_host_without_sandbox_is_served_and_what_is_not_protected_is_said(folder: Path, python: str) -> None:
    with running_server(folder, [Path(python)], "[Applications]\nSandbox = off") as server:
        log = server.log_text()
        assert "No sandbox, because Applications.Sandbox is off" in log
        assert "content sees every file its account may read" in log
        # What other accounts may not read is all that protects the server now.
        for name in ("rostra.db", "secrets", "run/control.sock", "run/decide.sock", "run/keeper.sock", "run/lock"):
            assert (server.data_dir / name).stat().st_mode & 0o077 == 0, name


def test_two_servers_never_share_a_data_folder(server: Server, folder: Path, python: str) -> None:
    code, said = serve(configured(folder, python, DataDir=str(server.data_dir)))
    assert code == 1
    assert server.process is not None
    assert f"process {server.process.pid}" in said
    assert str(server.data_dir) in said
    assert server.get("/__ping__").status == 200


def test_a_killed_supervisor_leaves_nothing_behind(folder: Path, python: str) -> None:
    with running_server(folder, [Path(python)]) as server:
        item = new_item(server)
        item.deploy()
        assert item.get().status == 200
        assert server.process is not None
        pids = [server.process.pid, *server.children().values(), *content_processes(server)]
        kill(pids[:1])
        server.process.wait(5)
        begun = time.monotonic()
        server.start()  # at once: port, data folder and sockets must be free by themselves
        assert time.monotonic() - begun < 10
        until(lambda: not alive(pids), 5, "processes of the killed server are left")
        assert item.told()["version"] == "one"
        until(
            lambda: set(mentioning(server.data_dir)) <= {*server.children().values(), *content_processes(server)},
            5,
            "orphans",
        )


@pytest.fixture
def evaluation(folder: Path) -> Iterator[tuple[str, Path]]:
    """A server started without any file, as somebody who tries it would; its address and its log."""
    port, log = free_port(), folder / "log"
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "ROSTRA_HTTP_LISTEN": f"127.0.0.1:{port}",
    }
    with log.open("wb") as out:
        process = subprocess.Popen([BIN / "rostra", "serve"], env=environment, stdout=out, stderr=out)
    try:
        until(lambda: "Sign in as" in log.read_text() or process.poll() is not None, 60, "no sign-in link")
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        assert process.wait(30) == 0


def press(visitor: Server, link: str) -> tuple[int, str]:
    """Press the button of the page behind a sign-in link, as a browser does."""
    port = int(visitor.url.rpartition(":")[2])
    shown = http.client.HTTPConnection("127.0.0.1", port)
    shown.request("GET", link)
    page = shown.getresponse()
    cookies = http.cookies.SimpleCookie()
    for value in page.headers.get_all("Set-Cookie") or ():
        cookies.load(value)
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.read().decode()))
    sent = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    headers = {"Cookie": sent, "Content-Type": "application/x-www-form-urlencoded"}
    shown.request("POST", link, urlencode(fields), headers)
    answer = shown.getresponse()
    given = " ".join(answer.headers.get_all("Set-Cookie") or ())
    answer.read()
    shown.close()
    return answer.status, "signed in" if re.search(r"rsconnect=[\w-]{20}", given) else given


def test_without_a_file_it_is_an_evaluation_server(evaluation: tuple[str, Path], folder: Path) -> None:
    address, log = evaluation
    said = log.read_text()
    assert "This is an evaluation server" in said
    assert str(folder / "rostra") in said
    assert "--config" in said
    assert re.search(r"3\.\d+\.\d+ .* usable", said), "it uses the interpreters it found"
    link = re.search(rf"{address}(/__signin__/\S+)", said)
    assert link
    visitor = Server(address, folder / "rostra", folder, log, {}, "")
    until(lambda: quickly(visitor, "/__ping__") == 200, 10, "no answer")
    shown = visitor.get(link[1])
    assert shown.status == 200, "following the link alone does not use it up: mail scanners do that"
    assert press(visitor, link[1]) == (303, "signed in")
    assert press(visitor, link[1])[0] == 401, "it works once"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", int(address.rpartition(":")[2]))) != 0, "it listens on more than loopback"
