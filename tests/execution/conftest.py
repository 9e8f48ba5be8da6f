from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.pools import House

from rostra.execution.pool import Pools


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder every account may pass through, short enough for the sockets in it."""
    made = Path(tempfile.mkdtemp(prefix="rx-", dir="/var/tmp"))  # inside a sandbox /tmp is another
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def house(short_path: Path) -> House:
    return House(short_path)


@pytest.fixture
async def pools(house: House) -> AsyncIterator[Pools]:
    async with house.pools() as made:
        yield made
    house.launcher.close()
