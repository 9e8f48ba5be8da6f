"""A server of its own for each module: these tests kill parts of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.database import empty_database, postgres_socket
from support.server import Server, running_server

__all__ = ["postgres_socket"]


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


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on each database."""
    with contextlib.ExitStack() as stack:
        extra = ""
        if request.param == "postgres":
            extra = stack.enter_context(empty_database(request.getfixturevalue("postgres_socket")))
        folder = tmp_path_factory.mktemp(request.param)
        yield stack.enter_context(running_server(folder, [Path(python)], extra))
