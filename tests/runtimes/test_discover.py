from __future__ import annotations

from pathlib import Path

import pytest

from rostra.runtimes.discover import discover


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path):
    """What is found under this test's own folder, for a PATH and a home inside it."""

    def find(*path: Path, **environ: str) -> list[Path]:
        named = {"PATH": ":".join(map(str, path)), "HOME": str(tmp_path / "home"), **environ}
        return [each for each in discover(named) if each.is_relative_to(tmp_path)]

    return find


def test_minor_versions_on_the_path_are_found(tmp_path: Path, places) -> None:
    wanted = program(tmp_path / "bin/python3.12")
    for other in ("python3", "python", "python3.12-config", "python2.7", "python3.13t"):
        program(tmp_path / "bin" / other)
    (tmp_path / "bin/python3.11").touch(0o644)
    assert places(tmp_path / "bin") == [wanted]


def test_installations_of_pyenv_and_uv_are_found(tmp_path: Path, places) -> None:
    pyenv = program(tmp_path / "home/.pyenv/versions/3.9.18/bin/python3")
    uv = program(tmp_path / "home/.local/share/uv/python/cpython-3.12.1-linux/bin/python3")
    assert places() == [pyenv, uv]


def test_installations_elsewhere_are_found_when_variables_say_so(tmp_path: Path, places) -> None:
    pyenv = program(tmp_path / "p/versions/3.9.18/bin/python3")
    uv = program(tmp_path / "u/cpython-3.12.1-linux/bin/python3")
    assert places(PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u")) == [pyenv, uv]


def test_shims_and_virtual_environments_are_left_out(tmp_path: Path, places) -> None:
    program(tmp_path / "shims/python3.12", "#!/usr/bin/env bash\nexec pyenv exec python3.12\n")
    program(tmp_path / "env/bin/python3.12")
    (tmp_path / "env/pyvenv.cfg").touch()
    assert places(tmp_path / "shims", tmp_path / "env/bin") == []


def test_one_file_is_found_once(tmp_path: Path, places) -> None:
    real = program(tmp_path / "a/python3.12")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/python3.12").symlink_to(real)
    assert places(tmp_path / "a", tmp_path / "b") == [real]


def test_odd_surroundings_are_no_error(tmp_path: Path, places) -> None:
    assert places(Path("relative"), tmp_path / "gone", tmp_path) == []
    assert discover({})
