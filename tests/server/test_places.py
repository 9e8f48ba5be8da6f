"""What a server must have for itself alone; no server is started here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rostra.server.places import CannotServe, holder, listening, only_server, prepare


def test_folders_are_made_and_can_be_passed_through_but_not_listed(folder: Path) -> None:
    run_dir = prepare(folder / "new" / "data")
    assert run_dir == folder / "new" / "data" / "run"
    assert run_dir.stat().st_mode & 0o777 == 0o711
    assert prepare(folder / "new" / "data") == run_dir


def test_a_path_too_long_for_sockets_is_refused_before_anything_is_made(folder: Path) -> None:
    with pytest.raises(CannotServe, match="57 are the most"):
        prepare(folder / ("x" * 60))
    assert not list(folder.iterdir())


def test_the_data_folder_is_held_by_one(folder: Path) -> None:
    run_dir = prepare(folder)
    assert holder(folder) is None
    with only_server(run_dir):
        assert holder(folder) == os.getpid()
        with pytest.raises(CannotServe, match=f"process {os.getpid()}"), only_server(run_dir):
            pass
    assert holder(folder) is None, "the number that is left in the file is nobody's"


def test_nobody_else_can_open_the_lock(folder: Path) -> None:
    run_dir = prepare(folder)
    (run_dir / "lock").touch(0o644)  # as an earlier release made it
    with only_server(run_dir):
        assert (run_dir / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_a_link_is_not_followed(folder: Path) -> None:
    run_dir, elsewhere = prepare(folder), folder / "elsewhere"
    elsewhere.write_text("precious")
    (run_dir / "lock").symlink_to(elsewhere)
    with pytest.raises(CannotServe), only_server(run_dir):
        pass
    assert elsewhere.read_text() == "precious"


def test_a_killed_holder_holds_nothing(folder: Path) -> None:
    run_dir = prepare(folder)
    code = (
        "import sys, pathlib; from rostra.server.places import only_server\n"
        "with only_server(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    held = subprocess.Popen([sys.executable, "-c", code, run_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout
    assert held.stdout.readline() == b"held\n"
    assert holder(folder) == held.pid
    held.kill()
    held.communicate()
    assert holder(folder) is None


@pytest.mark.parametrize(
    ("where", "reached"),
    [("127.0.0.1:0", "127.0.0.1"), (":0", "127.0.0.1"), ("[::1]:0", "::1"), ("localhost:0", "127.0.0.1")],
)
def test_listening(where: str, reached: str) -> None:
    if ":" in reached and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with listening(where) as sock:
        socket.create_connection((reached, sock.getsockname()[1]), 5).close()


def test_a_port_that_is_taken_is_named() -> None:
    with listening("127.0.0.1:0") as sock:
        where = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(CannotServe, match=where), listening(where):
            pass
