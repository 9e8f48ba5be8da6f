"""Version 2 is tested against a tree of plain files: it shows what is written where, not what a kernel makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rostra.execution import cgroups


def file(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    own = tmp_path / "system.slice" / "rostra.service"
    file(tmp_path / "cgroup.controllers", "cpu memory pids")
    file(own / "cgroup.subtree_control", "memory pids")
    file(own / f"rostra.{os.getpid()}" / "cgroup.subtree_control")
    return tmp_path


def test_version_2_writes_its_limits(second: Path) -> None:
    found = cgroups.find(second, "0::/system.slice/rostra.service\n", pid=os.getpid())
    assert found is not None
    assert (found.version, found.limits_memory, found.limits_processes) == (2, True, True)
    group = found.make("abc", 1000)
    (folder,) = group.folders
    assert folder == second / "system.slice/rostra.service" / f"rostra.{os.getpid()}" / "abc"
    assert (folder.parent / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "pids.max").read_text() == str(cgroups.PROCESSES)


def test_version_2_limits_the_processor_where_it_is_delegated(second: Path) -> None:
    own = second / "system.slice" / "rostra.service"
    held = own / f"rostra.{os.getpid()}"
    for folder in (own, held):
        file(folder / "cgroup.controllers", "cpu memory pids")
        file(folder / "cgroup.subtree_control", "cpu memory pids")
    found = cgroups.find(second, "0::/system.slice/rostra.service\n", pid=os.getpid())
    assert found is not None
    assert found.limits_cpu
    (folder,) = found.make("abc", None, 1.5).folders
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert not (found.make("free", None).folders[0] / "cpu.max").exists()


def test_version_2_without_the_processor_limits_the_rest(second: Path) -> None:
    found = cgroups.find(second, "0::/system.slice/rostra.service\n", pid=os.getpid())
    assert found is not None
    assert (found.limits_cpu, found.limits_memory) == (False, True)
    assert not (found.make("abc", None, 1.5).folders[0] / "cpu.max").exists()


@pytest.mark.parametrize(("cpus", "quota"), [(0.5, "50000"), (2, "200000"), (0.000001, "1000")])
def test_version_1_limits_the_processor(tmp_path: Path, cpus: float, quota: str) -> None:
    (tmp_path / "cpu,cpuacct").mkdir()
    found = cgroups.find(tmp_path, "4:cpu,cpuacct:/\n", pid=os.getpid())
    assert found is not None
    assert found.cpu is not None
    found.make("abc", None, cpus)
    assert (found.cpu / "abc" / "cpu.cfs_quota_us").read_text() == quota
    assert (found.cpu / "abc" / "cpu.cfs_period_us").read_text() == "100000"


def test_version_2_without_delegation_is_not_used(tmp_path: Path) -> None:
    file(tmp_path / "cgroup.controllers", "memory pids")
    (tmp_path / "user.slice" / "session" / "cgroup.subtree_control").mkdir(parents=True)  # cannot be written
    file(tmp_path / "user.slice" / "cgroup.subtree_control", "memory pids")  # somebody else's
    assert cgroups.find(tmp_path, "0::/user.slice/session\n") is None


def test_version_1_uses_each_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "memory" / "a").mkdir(parents=True)
    (tmp_path / "pids").mkdir()
    found = cgroups.find(tmp_path, "8:pids:/\n4:memory:/a\n1:name=systemd:/\n", pid=os.getpid())
    assert found is not None
    assert (found.version, found.memory, found.pids) == (
        1,
        tmp_path / "memory" / "a" / f"rostra.{os.getpid()}",
        tmp_path / "pids" / f"rostra.{os.getpid()}",
    )
    file(found.memory / "abc" / "memory.memsw.limit_in_bytes")
    found.make("abc", 1000)
    assert (found.memory / "abc" / "memory.limit_in_bytes").read_text() == "1000"
    assert (found.memory / "abc" / "memory.memsw.limit_in_bytes").read_text() == "1000"
    assert (found.pids / "abc" / "pids.max").read_text() == str(cgroups.PROCESSES)


def test_nothing_there(tmp_path: Path) -> None:
    assert cgroups.find(tmp_path, "") is None
    assert cgroups.find(tmp_path, "4:memory:/gone\n") is None


def test_what_a_killed_launcher_left_is_removed(tmp_path: Path) -> None:
    old = tmp_path / "memory" / "rostra.999999999"
    (old / "abc").mkdir(parents=True)
    cgroups.find(tmp_path, "4:memory:/\n")
    assert not old.exists()


def test_content_gets_most_of_the_processors_when_builds_want_them_too(tmp_path: Path) -> None:
    file(tmp_path / "cpu" / "x")
    held = tmp_path / "cpu" / "rostra.7"
    file(held / "cpu.shares", "1024")
    found = cgroups.find(tmp_path, "1:cpu:/\n", pid=7)
    assert found is not None
    found.come_first()
    assert (held / "cpu.shares").read_text() == "4096"


def test_version_2_has_another_measure_for_that(second: Path) -> None:
    own = second / "system.slice" / "rostra.service"
    held = own / f"rostra.{os.getpid()}"
    for folder in (own, held):
        file(folder / "cgroup.controllers", "cpu memory pids")
        file(folder / "cgroup.subtree_control", "cpu memory pids")
    file(held / "cpu.weight", "100")
    found = cgroups.find(second, "0::/system.slice/rostra.service\n", pid=os.getpid())
    assert found is not None
    found.come_first()
    assert (held / "cpu.weight").read_text() == "400"


def test_where_the_processor_is_not_ours_nothing_is_written(second: Path) -> None:
    found = cgroups.find(second, "0::/system.slice/rostra.service\n", pid=os.getpid())
    assert found is not None
    found.come_first()
