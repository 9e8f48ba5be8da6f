"""Fixtures every room's tests may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import interpreters
from support.grouping import GroupScheduling
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How fast examples are made depends on what else the machine does; it says nothing about the code.
settings.register_profile("rostra", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rostra")


@pytest.hookimpl(optionalhook=True)  # there is no such hook without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """Real interpreters by full version, oldest first, 3.8 and newer."""
    supported = {v: p for v, p in interpreters.installed().items() if tuple(map(int, v.split("."))) >= (3, 8)}
    if not supported:
        pytest.skip("no interpreter found; set ROSTRA_TEST_PYTHONS")
    return supported


@pytest.fixture(scope="session")
def python_minor() -> object:
    """A function: MAJOR.MINOR to a real interpreter, or skip saying which one was missing."""

    def find(wanted: str) -> Path:
        found = interpreters.minor(wanted)
        if found is None:
            pytest.skip(f"no Python {wanted} on this machine")
        return found

    return find
