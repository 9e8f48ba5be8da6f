"""posit-sdk, newest and of a year earlier, each in an environment of its own, and one real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import interpreters
from support.sdk import NEWEST, RELEASES, Sdk, installed
from support.server import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = interpreters.minor("3.11")
    if path is None:
        pytest.skip("no Python 3.11 on this machine")
    with running_server(tmp_path_factory.mktemp("sdk"), [path]) as running:
        yield running


@pytest.fixture(scope="session")
def sdk(pytestconfig: pytest.Config, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    return Sdk(installed(pytestconfig, NEWEST), server, tmp_path_factory.mktemp("sdk-home"))


@pytest.fixture(scope="session", params=RELEASES)
def released(
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Sdk:
    """Each release in turn."""
    python = installed(pytestconfig, request.param)
    return Sdk(python, server, tmp_path_factory.mktemp("sdk-home"), request.param)
