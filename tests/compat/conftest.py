"""One real server for the whole tier, on several real Pythons, and the unmodified client."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import interpreters
from support.publishing import ROOT, Published, Publisher, app
from support.server import Server, shared_server

__all__ = ["MINORS", "ROOT", "Published", "Publisher", "app"]
MINORS = ("3.9", "3.11", "3.13")


@pytest.fixture(scope="session")
def minors() -> list[str]:
    there = [minor for minor in MINORS if interpreters.minor(minor)]
    if not there:
        pytest.skip("no Python 3.9, 3.11 or 3.13 on this machine")
    return there


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, minors: list[str]) -> Server:
    """The server that this tier and the browser tier share: what one has published the other opens."""
    paths = [path for minor in minors if (path := interpreters.minor(minor))]
    return shared_server(pytestconfig, tmp_path_factory, paths)


@pytest.fixture
def publisher(server: Server, tmp_path: Path) -> Publisher:
    return Publisher(server, tmp_path)
