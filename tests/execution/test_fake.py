from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from execution.contract import FAKE, Commands, LauncherContract

from rostra.execution import logs, sockets
from rostra.execution.fake import FakeLauncher


@pytest.fixture
def launcher() -> Iterator[FakeLauncher]:
    fake = FakeLauncher()
    yield fake
    fake.close()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path, **FAKE)  # type: ignore[arg-type]


class TestFakeLauncher(LauncherContract):
    pids_are_real = False

    async def test_a_process_listens_unless_told_otherwise(self, launcher: FakeLauncher, commands: Commands) -> None:
        listens, silent = commands.launch(commands.sleep), commands.launch(("silent",))
        await launcher.start(listens)
        await launcher.start(silent)
        assert sockets.accepts(listens.socket)
        assert not sockets.accepts(silent.socket)

    async def test_a_crash_leaves_its_last_words(self, launcher: FakeLauncher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        await launcher.start(launch)
        launcher.crash(launch.key, 1, says="ModuleNotFoundError")
        assert [line.text for line in logs.read(launch.log)] == ["ModuleNotFoundError"]
