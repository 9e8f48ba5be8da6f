from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from rostra.config import sections
from rostra.config.load import Origin, Source
from rostra.runtimes.catalog import inspect, open_catalog, state_of
from rostra.runtimes.errors import BelowMinimum
from rostra.runtimes.model import Policy, RuntimeState

pytestmark = pytest.mark.anyio

HERE = Path(os.path.realpath(sys.executable))
NOW = ".".join(map(str, sys.version_info[:3]))
SERIES = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def pretending(tmp_path: Path) -> Callable[[str], Path]:
    """Make an interpreter that says it is another version."""

    def make(version: str) -> Path:
        major, minor, patch = version.split(".")
        path = tmp_path / f"python{version}"
        path.write_text(
            f"#!{HERE}\nimport sys\nsys.version_info = ({major}, {minor}, {patch}, 'final', 0)\nexec(sys.argv[-1])\n"
        )
        path.chmod(0o755)
        return path

    return make


def settings(*executables: Path, **more: object) -> sections.Python:
    return sections.Python(enabled=True, executable=executables, **more)  # type: ignore[arg-type]


def places(*lines: str) -> dict[str, Source]:
    return {"Python.Executable": Source(Origin.file, lines)}


async def test_disabled_python_has_no_interpreters() -> None:
    catalog = await open_catalog(sections.Python(executable=(HERE,)), memory=None)
    assert catalog.rows == ()


async def test_usable_interpreters_are_runtimes_oldest_first(pretending: Callable[[str], Path], tmp_path: Path) -> None:
    paths = (pretending("3.10.1"), pretending("3.9.7"), tmp_path / "gone")
    catalog = await open_catalog(settings(*paths, version_matching="exact"), memory=None)
    assert [str(runtime.version) for runtime in catalog.runtimes] == ["3.9.7", "3.10.1"]
    assert [row.usable for row in catalog.rows] == [True, True, False]
    assert catalog.policy is Policy.exact


async def test_duplicates_are_said_and_kept_once(tmp_path: Path) -> None:
    link = tmp_path / "python3"
    link.symlink_to(HERE)
    catalog = await open_catalog(settings(HERE, link), memory=None)
    assert [row.note for row in catalog.rows] == ["", f"the same interpreter as {HERE}"]
    assert [runtime.executable for runtime in catalog.runtimes] == [HERE]


async def test_two_interpreters_of_one_version_are_said(pretending: Callable[[str], Path]) -> None:
    other = pretending(NOW)
    catalog = await open_catalog(settings(HERE, other), memory=None)
    assert catalog.rows[1].note == f"the same version as {HERE}"
    assert len(catalog.runtimes) == 2


async def test_one_below_the_minimum_refuses_the_start_and_names_its_line(pretending: Callable[[str], Path]) -> None:
    old, older = pretending("3.7.9"), pretending("3.6.1")
    sources = places("rostra.gcfg:3", "rostra.gcfg:4", "rostra.gcfg:5")
    with pytest.raises(BelowMinimum) as caught:
        await open_catalog(settings(old, HERE, older), memory=None, sources=sources)
    too_old = "is older than 3.8.0, the oldest this server accepts"
    assert caught.value.message.splitlines() == [
        f"rostra.gcfg:3: [Python] Executable = {old}: Python 3.7.9 {too_old}",
        f"rostra.gcfg:5: [Python] Executable = {older}: Python 3.6.1 {too_old}",
    ]
    assert caught.value.hint == "Remove these lines."


async def test_the_minimum_can_be_set(pretending: Callable[[str], Path]) -> None:
    catalog = await open_catalog(settings(pretending("3.7.9"), minimum_version="3.7"), memory=None)
    assert len(catalog.runtimes) == 1
    with pytest.raises(BelowMinimum):
        await open_catalog(settings(HERE, minimum_version="99"), memory=None)


async def test_inspecting_shows_those_below_the_minimum(pretending: Callable[[str], Path]) -> None:
    catalog = await inspect(settings(pretending("3.7.9")), memory=None)
    assert catalog.rows[0].problem == "is older than the minimum 3.8.0"
    assert catalog.runtimes == ()


async def test_a_found_one_below_the_minimum_is_no_mistake(tmp_path: Path, pretending: Callable[[str], Path]) -> None:
    pretending("3.7.9").rename(tmp_path / "python3.7")
    catalog = await open_catalog(settings(), memory=None, environ={"PATH": str(tmp_path)})
    assert catalog.discovered
    assert [row.probe.executable for row in catalog.below_minimum] == [tmp_path / "python3.7"]


async def test_states_come_from_the_settings() -> None:
    catalog = await open_catalog(settings(HERE, deprecated=(SERIES,)), memory=None)
    assert catalog.runtimes[0].state is RuntimeState.deprecated


@pytest.mark.parametrize(
    ("version", "deprecated", "retired", "state"),
    [
        ("3.9.7", (), (), "active"),
        ("3.9.7", ("3.9",), (), "deprecated"),
        ("3.9.7", ("3.9.6",), (), "active"),
        ("3.9.7", ("<3.10",), (), "deprecated"),
        ("3.9.7", ("3.8", "3.9.7"), (), "deprecated"),
        ("3.9.7", ("3.9",), ("3.9.7",), "retired"),
        ("3.14.0rc1", ("3.14",), (), "deprecated"),
    ],
)
def test_states(version: str, deprecated: tuple[str, ...], retired: tuple[str, ...], state: str) -> None:
    python = sections.Python(deprecated=deprecated, retired=retired)
    assert state_of(Version(version), python).value == state


async def test_the_recorded_runtime_is_found_again(tmp_path: Path) -> None:
    link = tmp_path / "python3"
    link.symlink_to(HERE)
    catalog = await open_catalog(settings(link), memory=None)
    by_path = catalog.find(NOW, str(link))
    assert by_path is not None
    assert by_path.executable == link
    assert catalog.find(NOW, "/moved/away") == by_path, "the same version elsewhere will do"
    assert catalog.find("3.0.0", str(link)) is None, "another version behind the same path will not"


async def test_the_table_for_the_log(tmp_path: Path) -> None:
    link = tmp_path / "python3"
    link.symlink_to(HERE)
    catalog = await open_catalog(settings(link, tmp_path / "gone"), memory=None)
    first, second = catalog.lines()
    assert first.startswith(NOW)
    assert f"{link} -> {HERE}" in first
    assert first.endswith("usable")
    assert second.endswith("does not exist")


async def test_json_tells_the_same(tmp_path: Path) -> None:
    catalog = await open_catalog(settings(HERE, tmp_path / "gone"), memory=None, sources=places("a:1", "a:2"))
    first, second = catalog.to_json()
    assert first["version"] == NOW
    assert first["usable"] is True
    assert first["problem"] is None
    assert second["usable"] is False
    assert second["problem"] == "does not exist"
    assert second["place"] == "a:2"
