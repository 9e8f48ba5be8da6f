"""`make demo`: samples are published once, opened, and there again the next time; Ctrl-C ends all of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.publishing import ROOT
from support.server import free_port

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("demo")]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short path: sockets lie below it."""
    return tmp_path_factory.mktemp("demo")


def demo(folder: Path, port: int, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, ROOT / "scripts" / "demo.py", "--folder", folder, "--port", str(port), *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ),
        # Tests that were started in the background of a shell ignore Ctrl-C, and what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one call, no thread here
    )


def until_it_serves(process: subprocess.Popen[str]) -> str:
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if "Press Ctrl-C" in line:
            break
    return said


def addresses(said: str) -> set[str]:
    return set(re.findall(r"http://\S+/content/\S+", said))


def test_the_demonstration_publishes_once_and_stops_cleanly(folder: Path) -> None:
    port = free_port()
    with demo(folder, port, "flask", "html") as first:
        said = until_it_serves(first)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0, said
        said += first.stdout.read() if first.stdout else ""
    assert "2 of 2 samples answer" in said
    assert re.search(r"ok +Unit desk \(Flask\) +Python 3\.\d+\.\d+ +\d+\.\d s", said), said
    with demo(folder, port, "--once", "flask", "html") as second:
        again, _ = second.communicate(timeout=120)
        assert second.returncode == 0, again
    assert again.count(" kept ") == 2
    assert addresses(again) == addresses(said)


def test_a_sample_that_is_not_there_is_named(folder: Path) -> None:
    with demo(folder, free_port(), "--once", "nosuch") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "There is no sample nosuch" in said
    assert "flask" in said
