"""Keeping processes alive; the processes here are small programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.watching import alive, until

RUN = """
import asyncio, sys
from rostra.server.children import Child
from rostra.server.supervise import supervise
names = sys.argv[2:]
import signal
farewells = {"parts": signal.SIGUSR1}
children = [
    Child(name, ("-c", PROGRAM, sys.argv[1], name), reloads=name == "reloads",
          farewell=farewells.get(name, signal.SIGTERM))
    for name in names
]
sys.exit(asyncio.run(supervise(children)))
"""
PROGRAM = """
import os, pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def note(what):
    with (folder / "log").open("a") as log:
        log.write(f"{name} {what} {os.getpid()}\\n")
def leave(*_):
    note("ends")
    os._exit(0)
if name != "stubborn":
    signal.signal(signal.SIGTERM, leave)
else:
    signal.signal(signal.SIGTERM, lambda *_: note("ignores"))
def part(*_):
    note("parts")
    os._exit(0)
if name == "parts":
    signal.signal(signal.SIGUSR1, part)
signal.signal(signal.SIGHUP, lambda *_: note("reloads"))
note("starts")
if name == "refuses":
    sys.exit(78)
if name == "refuses-later" and (folder / "log").read_text().count("refuses-later starts") > 1:
    sys.exit(78)
while True:
    time.sleep(0.05)
"""


class Supervised:
    def __init__(self, folder: Path, *names: str) -> None:
        self.log = folder / "log"
        code = RUN.replace("PROGRAM", repr(PROGRAM))
        self.process = subprocess.Popen([sys.executable, "-c", code, folder, *names], stderr=subprocess.DEVNULL)

    def events(self, name: str, what: str) -> list[int]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [int(line.split()[2]) for line in lines if line.split()[:2] == [name, what]]

    def started(self, name: str, times: int = 1) -> int:
        until(lambda: len(self.events(name, "starts")) >= times, 20, f"{name} does not start")
        return self.events(name, "starts")[times - 1]

    def end(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(20)


def test_what_dies_is_started_again_and_the_others_go_on(folder: Path) -> None:
    supervised = Supervised(folder, "one", "two")
    one, two = supervised.started("one"), supervised.started("two")
    os.kill(one, signal.SIGKILL)
    again = supervised.started("one", 2)
    assert alive([again, two]) == [again, two]
    assert supervised.end() == 0
    assert not alive([again, two])


def test_they_end_in_the_opposite_order_of_their_start(folder: Path) -> None:
    supervised = Supervised(folder, "first", "second", "third")
    for name in ("first", "second", "third"):
        supervised.started(name)
    assert supervised.end(signal.SIGINT) == 0
    ended = [line.split()[0] for line in supervised.log.read_text().splitlines() if " ends " in line]
    assert ended == ["third", "second", "first"]


def test_each_is_told_in_its_own_way(folder: Path) -> None:
    supervised = Supervised(folder, "one", "parts")
    supervised.started("parts")
    assert supervised.end() == 0
    assert len(supervised.events("parts", "parts")) == 1
    assert not supervised.events("parts", "ends")


def test_one_that_refuses_at_the_start_ends_all(folder: Path) -> None:
    supervised = Supervised(folder, "one", "refuses")
    assert supervised.process.wait(20) == 78
    assert len(supervised.events("refuses", "starts")) == 1
    assert not alive(supervised.events("one", "starts"))


def test_one_that_refuses_later_ends_nobody_else(folder: Path) -> None:
    supervised = Supervised(folder, "one", "refuses-later")
    one = supervised.started("one")
    os.kill(supervised.started("refuses-later"), signal.SIGKILL)
    supervised.started("refuses-later", 3)
    assert alive([one]) == [one]
    assert supervised.end() == 0


def test_a_hang_up_reaches_only_who_reloads(folder: Path) -> None:
    supervised = Supervised(folder, "one", "reloads")
    supervised.started("one")
    supervised.started("reloads")
    supervised.process.send_signal(signal.SIGHUP)
    until(lambda: supervised.events("reloads", "reloads"), 20, "it is not passed on")
    assert not supervised.events("one", "reloads")
    assert supervised.end() == 0


def test_a_second_signal_does_not_wait_for_the_stubborn(folder: Path) -> None:
    supervised = Supervised(folder, "stubborn")
    pid = supervised.started("stubborn")
    begun = time.monotonic()
    supervised.process.send_signal(signal.SIGTERM)
    until(lambda: supervised.events("stubborn", "ignores"), 20, "it was not asked to end")
    assert supervised.end() == 0
    assert time.monotonic() - begun < 10
    assert not alive([pid])


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV])
def test_nothing_outlives_a_supervisor_that_dies(folder: Path, signum: int) -> None:
    supervised = Supervised(folder, "one", "stubborn")
    pids = [supervised.started("one"), supervised.started("stubborn")]
    supervised.end(signum)
    until(lambda: not alive(pids), 5, "they live on")
