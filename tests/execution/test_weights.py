"""What trees of processes take, read from a real /proc and from a played one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rostra.execution.weights import Weight, weigh, weigh_at_end

BUSY = """
import os, sys, time
held = bytearray(b"x" * 50_000_000)
if os.fork() == 0:
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
    os.write(1, b"done"); time.sleep(600)
time.sleep(600)
"""


@pytest.fixture
def busy() -> Iterator[int]:
    """A process of 50 MB with a child that was busy for 0.3 s."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"done"
        yield process.pid
        os.killpg(process.pid, 9)


def test_a_tree_is_weighed_with_its_children(busy: int) -> None:
    found = weigh(busy)
    assert found is not None
    assert found.processes == 2
    assert found.cpu_seconds >= 0.29
    assert 50_000_000 <= found.memory_bytes < 500_000_000


def test_at_its_end_a_tree_is_weighed_with_the_most_it_held(busy: int) -> None:
    found = weigh_at_end(busy)
    assert found is not None
    assert found.processes == 2
    assert found.cpu_seconds >= 0.29
    assert 50_000_000 <= found.memory_bytes < 500_000_000


def test_what_is_gone_weighs_nothing() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert weigh(process.pid) is None
    assert weigh_at_end(process.pid) is None


def played(proc: Path, pid: int, children: str, cpu: int, anon: int, mapped: int) -> None:
    folder = proc / str(pid) / "task" / str(pid)
    folder.mkdir(parents=True)
    (folder / "children").write_text(children)
    ticks = f"{cpu} 0 0 0"
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) b) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 20 0\n")
    (proc / str(pid) / "status").write_text(f"Name:\tx\nRssAnon:\t{anon} kB\nRssFile:\t{mapped} kB\nRssShmem:\t1 kB\n")


def test_mapped_files_are_counted_once(tmp_path: Path) -> None:
    second = os.sysconf("SC_CLK_TCK")
    played(tmp_path, 10, "11 12", second, 100, 30)
    played(tmp_path, 11, "", 2 * second, 10, 40)
    played(tmp_path, 12, "13", 0, 10, 20)  # 13 has ended meanwhile
    assert weigh(10, tmp_path) == Weight(3.0, (100 + 10 + 10 + 3 + 40) * 1024, 3)
