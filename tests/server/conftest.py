"""A server of its own for each module: these tests kill parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.server import Server, running_server


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that runs these tests, or one of its kind: bundles ask for its version."""
    found = interpreters.minor("3.11") or interpreters.minor("3.13")
    if found is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    return str(found)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short path: sockets lie below it."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("rostra"), [python]) as started:
        yield started
