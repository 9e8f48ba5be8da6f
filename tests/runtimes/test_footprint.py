from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.version import Version

from rostra.runtimes.footprint import links, prefixes
from rostra.runtimes.interview import Answer


def installation(root: Path) -> Path:
    """Make something with the shape of an installed Python; return its executable."""
    (root / "bin").mkdir(parents=True)
    (root / "lib/python3.11/site-packages").mkdir(parents=True)
    (root / "bin/python3.11").touch(0o755)
    (root / "bin/python3").symlink_to("python3.11")
    return root / "bin/python3"


def answer(root: Path, **more: str) -> Answer:
    stdlib = str(root / "lib/python3.11")
    values = {
        "implementation": "cpython",
        "cache_tag": "cpython-311",
        "platform": "linux-x86_64",
        "executable": str(root / "bin/python3"),
        "prefix": str(root),
        "base_prefix": str(root),
        "base_exec_prefix": str(root),
        "stdlib": stdlib,
        "platstdlib": stdlib,
        "purelib": stdlib + "/site-packages",
        "libdir": "",
        "library": "",
        "setuptools": "",
    }
    return Answer(version=Version("3.11.7"), pip=True, venv=True, ensurepip=True, **{**values, **more})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, so that the broadness of the real one plays no part."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_an_installation_is_one_folder(tmp_path: Path) -> None:
    executable = installation(tmp_path / "3.11")
    assert prefixes(executable, answer(tmp_path / "3.11")) == (tmp_path / "3.11",)


def test_the_systems_own_folders_are_left_out() -> None:
    usr = answer(Path("/usr"), executable="/usr/bin/python3")
    assert prefixes(Path("/usr/bin/python3"), usr) == ()


def test_a_link_elsewhere_adds_its_folder(tmp_path: Path) -> None:
    installation(tmp_path / "3.11")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/python").symlink_to(tmp_path / "3.11/bin/python3")
    found = prefixes(tmp_path / "links/python", answer(tmp_path / "3.11"))
    assert found == (tmp_path / "3.11", tmp_path / "links")


def test_a_folder_that_is_a_link_is_shown_both_ways(tmp_path: Path) -> None:
    installation(tmp_path / "3.11.7")
    (tmp_path / "current").symlink_to("3.11.7")
    found = prefixes(tmp_path / "current/bin/python3", answer(tmp_path / "current"))
    assert found == (tmp_path / "3.11.7", tmp_path / "current")


def test_a_home_is_never_shown_as_a_whole(tmp_path: Path, home: Path) -> None:
    installation(tmp_path / "3.11")
    (home / "secret").touch()
    (home / "python").symlink_to(tmp_path / "3.11/bin/python3")
    found = prefixes(home / "python", answer(tmp_path / "3.11"))
    assert found == (tmp_path / "3.11", home / "python")


def test_an_installation_in_a_home_is_shown_piece_by_piece(home: Path) -> None:
    executable = installation(home)
    (home / "secret").touch()
    assert prefixes(executable, answer(home)) == (home / "bin", home / "lib/python3.11")


def test_a_shared_library_elsewhere_is_shown(tmp_path: Path) -> None:
    executable = installation(tmp_path / "3.11")
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs/libpython3.11.so").touch()
    found = prefixes(executable, answer(tmp_path / "3.11", libdir=str(tmp_path / "libs"), library="libpython3.11.so"))
    assert found == (tmp_path / "3.11", tmp_path / "libs")


def test_a_virtual_environment_is_shown_with_its_base(tmp_path: Path) -> None:
    base = installation(tmp_path / "3.11")
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(base)
    said = answer(tmp_path / "3.11", prefix=str(tmp_path / "env"), executable=str(tmp_path / "env/bin/python"))
    assert prefixes(tmp_path / "env/bin/python", said) == (tmp_path / "3.11", tmp_path / "env")


def test_what_is_not_there_is_not_shown(tmp_path: Path) -> None:
    executable = installation(tmp_path / "3.11")
    found = prefixes(executable, answer(tmp_path / "3.11", base_exec_prefix=str(tmp_path / "gone")))
    assert found == (tmp_path / "3.11",)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert len(links(tmp_path / "a")) <= 41


def test_dots_after_a_link_lead_to_the_real_folder(tmp_path: Path) -> None:
    installation(tmp_path / "deep/3.11")
    (tmp_path / "deep/bin").mkdir()
    (tmp_path / "bin").symlink_to("deep/bin")
    (tmp_path / "deep/bin/python").symlink_to("../3.11/bin/python3")
    found = prefixes(tmp_path / "bin/python", answer(tmp_path / "deep/3.11"))
    assert tmp_path / "deep/3.11" in found
    assert tmp_path / "bin" in found
    assert all(".." not in path.parts for path in found)
    assert os.path.realpath(tmp_path / "bin/python").startswith(str(tmp_path / "deep/3.11"))
