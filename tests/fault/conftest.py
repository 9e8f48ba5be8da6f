"""One server for the module, killed and started again many times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import interpreters
from support.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("s"), [Path(python)]) as started:
        yield started
