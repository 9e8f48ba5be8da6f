from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder every account may pass through, short enough for the sockets in it."""
    made = Path(tempfile.mkdtemp(prefix="rx-", dir="/var/tmp"))  # inside a sandbox /tmp is another
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
