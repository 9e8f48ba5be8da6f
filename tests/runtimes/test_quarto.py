from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from rostra.runtimes.quarto import probe_quarto
from rostra.runtimes.r_model import QuartoInstallation

pytestmark = pytest.mark.anyio
SOON = dt.timedelta(seconds=20)


def program(folder: Path, said: str) -> Path:
    path = folder / "quarto-1/bin/quarto"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\necho '{said}'\n")
    path.chmod(0o755)
    return path


async def test_a_quarto_says_its_version(tmp_path: Path) -> None:
    ((path, found),) = await probe_quarto([program(tmp_path, "1.4.553")], timeout=SOON, memory=None)
    assert isinstance(found, QuartoInstallation)
    assert (str(found.version), found.executable) == ("1.4.553", path)
    assert found.mounts == (tmp_path / "quarto-1",)


async def test_it_is_asked_once(tmp_path: Path) -> None:
    path = program(tmp_path, "1.4.553")
    for _ in range(2):
        ((_, found),) = await probe_quarto([path], timeout=SOON, memory=tmp_path / "quarto.json")
        assert isinstance(found, QuartoInstallation)
    assert (tmp_path / "asked").read_text() == "asked\n"
    program(tmp_path, "1.5.0")
    ((_, found),) = await probe_quarto([path], timeout=SOON, memory=tmp_path / "quarto.json")
    assert isinstance(found, QuartoInstallation)
    assert str(found.version) == "1.5.0"


async def test_what_is_no_quarto_has_a_reason(tmp_path: Path) -> None:
    found = await probe_quarto([program(tmp_path, "hello"), tmp_path / "gone"], timeout=SOON, memory=None)
    assert [why for _, why in found] == [
        "is not Quarto: it does not say its version",
        "cannot be started: No such file or directory",
    ]
