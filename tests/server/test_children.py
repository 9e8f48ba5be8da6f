"""How the three processes are started, and when again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rostra.config.sections import Applications, Server, Settings
from rostra.gateway.settings import read_settings
from rostra.server.children import STEADY_SECONDS, Deaths, children

SETTINGS = Settings(
    server=Server(data_dir=Path("/data"), address="https://rostra.test/rsc/"), applications=Applications(sandbox="off")
)


def test_the_gateway_ends_first_and_the_keeper_last() -> None:
    assert [child.name for child in children(SETTINGS, (), 7)] == ["keeper", "control", "gateway"]


def test_only_the_gateway_gets_the_listening_socket_and_only_control_reloads() -> None:
    made = {child.name: child for child in children(SETTINGS, ("--config", "/etc/r.gcfg"), 7)}
    assert {name: child.fds for name, child in made.items()} == {"keeper": (), "control": (), "gateway": (7,)}
    assert [name for name, child in made.items() if child.reloads] == ["control"]
    assert made["control"].argv[-2:] == ("--config", "/etc/r.gcfg")
    assert "off" in made["keeper"].argv


def test_the_gateway_understands_its_settings() -> None:
    gateway = children(SETTINGS, (), 7)[2]
    given = gateway.argv[gateway.argv.index("--settings") + 1]
    assert json.loads(given)["path_prefix"] == "/rsc"
    read_settings(given)


@pytest.mark.parametrize("name", ["keeper", "control"])
def test_what_is_started_understands_its_command_line(name: str) -> None:
    argv = next(child.argv for child in children(SETTINGS, ("--config", "/x"), 7) if child.name == name)
    done = subprocess.run([sys.executable, *argv[:2], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert {word for word in argv[2:] if word.startswith("--")} <= set(done.stdout.replace("[", " ").split())


def test_pauses_grow_with_quick_deaths_and_a_long_life_ends_them() -> None:
    deaths, pauses = Deaths(), []
    for _ in range(10):
        deaths = deaths.another(0.5)
        pauses.append(deaths.pause)
    assert pauses[:4] == [0.0, 0.1, 0.2, 0.4]
    assert pauses[-1] == 10.0
    assert pauses == sorted(pauses)
    assert deaths.another(STEADY_SECONDS + 1).pause == 0.0
