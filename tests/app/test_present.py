"""Reading the configuration again: all or nothing, and only what may change while the server runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.moments import MovedClock

from rostra.app.present import Present, exchanged, read_catalog
from rostra.app.reloaded import Reloaded
from rostra.config.errors import ConfigProblems
from rostra.config.load import Loaded, load
from rostra.runtimes.catalog import Catalog

pytestmark = pytest.mark.anyio


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Loaded]:
    def reading(text: str) -> Loaded:
        file = tmp_path / "rostra.gcfg"
        file.write_text(f"[Server]\nDataDir = {tmp_path}\n{text}")
        return load(file, {})

    return reading


def test_only_what_may_change_changes(read: Callable[[str], Loaded]) -> None:
    old = read("[Python]\nVersionMatching = exact\n[Scheduler]\nIdleTimeout = 5s\n")
    new, waiting = exchanged(old, read("[Python]\nVersionMatching = nearest\n[Scheduler]\nIdleTimeout = 9s\n"))
    assert new.settings.python.version_matching == "nearest"
    assert new.settings.scheduler == old.settings.scheduler
    assert waiting == ("Scheduler.IdleTimeout",)


def test_nothing_changed_is_nothing_to_wait_for(read: Callable[[str], Loaded]) -> None:
    assert exchanged(read(""), read(""))[1] == ()


async def test_what_would_be_refused_changes_nothing_and_is_said(read: Callable[[str], Loaded]) -> None:
    present = Present(read(""), Catalog())
    before = present.loaded

    def refused() -> Loaded:
        return read("[Python]\nNoSuch = 1\n")

    with pytest.raises(ConfigProblems):
        refused()
    with capture_logs() as said:
        told = await present.reload(refused)
    assert present.loaded is before
    assert "NoSuch" in told.refused
    assert [(line["log_level"], "NoSuch" in line["why"]) for line in said] == [("error", True)]


async def test_a_day_that_comes_turns_a_python_without_a_reload(read: Callable[[str], Loaded], tmp_path: Path) -> None:
    here, minor = os.path.realpath(sys.executable), ".".join(map(str, sys.version_info[:2]))
    days = f"Deprecated = {minor} from 2026-09-02\nRetired = {minor} from 2026-09-04"
    loaded, clock = read(f"[Python]\nEnabled = true\nExecutable = {here}\n{days}\n"), MovedClock()
    present = Present(loaded, await read_catalog(loaded, tmp_path / "memory"), clock)
    turned = []
    for _ in range(5):
        turned += [runtime.state.value for runtime in present.runtimes()]
        clock.move(days=1)
    assert turned == ["active", "deprecated", "deprecated", "retired", "retired"]


async def test_a_reload_says_what_it_did(read: Callable[[str], Loaded]) -> None:
    present = Present(read(""), Catalog())
    with capture_logs() as said:
        told = await present.reload(lambda: read("[Scheduler]\nIdleTimeout = 9s\n"))
    assert told == Reloaded(waiting=("Scheduler.IdleTimeout",))
    assert [line["event"] for line in said][:2] == [
        "configuration reloaded",
        "Scheduler.IdleTimeout was changed; it counts after a restart of the server",
    ]


async def test_an_interpreter_that_was_asked_for_and_cannot_be_used_is_a_warning(read: Callable[[str], Loaded]) -> None:
    loaded = read("[Python]\nEnabled = true\nExecutable = /gone/python3\n[R]\nEnabled = true\nExecutable = /gone/R\n")
    with capture_logs() as said:
        await Present(loaded, await read_catalog(loaded, None)).tell()
    told = [(line["log_level"], " ".join(line["event"].split())) for line in said]
    assert [level for level, _ in told] == ["warning", "warning", "warning"]
    assert told[0][1].endswith("rostra.gcfg:5 or remove it, then: rostra reload")
    assert "/gone/R does not exist: correct " in told[1][1]
    assert told[2][1].startswith("no Python can be used")


async def test_what_was_found_by_searching_is_no_warning(
    read: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "python3").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", str(tmp_path))
    loaded = read("[Python]\nEnabled = true\nMinimumVersion = 3.0.0\n")
    with capture_logs() as said:
        await Present(loaded, await read_catalog(loaded, None)).tell()
    assert said
    assert {line["log_level"] for line in said} == {"info"}
