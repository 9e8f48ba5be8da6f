"""The commands installers are started with, as tables, and what they leave behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from rostra.environments import pip, uv
from rostra.environments.index import IndexSettings
from rostra.environments.requirements import parse

UV, PYTHON, FOLDER = Path("/bin/uv"), Path("/e/bin/python"), Path("/f")
PLAIN = "six\n"
CHECKED = "--require-hashes\nsix==1 --hash=sha256:" + "a" * 64


def test_uv_makes_scripts_that_survive_the_rename() -> None:
    assert uv.venv_argv(UV, Path("/py"), Path("/e")) == (
        "/bin/uv", "venv", "--relocatable", "--no-project", "--python", "/py", "/e",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "build", "tail", "why"),
    [
        (PLAIN, False, ["--no-build"], "no code of a package runs"),
        (PLAIN, True, [], "apart from everything"),
        ("--no-binary six\n--only-binary foo\nsix", True, ["--no-binary", "six", "--only-binary", "foo"], "as asked"),
        ("--no-binary six\nsix", False, ["--no-build"], "wheels alone means alone"),
        (CHECKED, False, ["--require-hashes", "--no-build"], "hashes"),
    ],
)
def test_uv_install(text: str, build: bool, tail: list[str], why: str) -> None:
    argv = uv.install_argv(UV, PYTHON, parse(text, bundle_dir=FOLDER), FOLDER, build=build)
    head = ("/bin/uv", "pip", "install", "--python", "/e/bin/python", "-r", "/f/requirements.txt")
    assert argv == (*head, *tail), why


@pytest.mark.parametrize(
    ("text", "build", "tail", "why"),
    [
        (PLAIN, False, ["--only-binary", ":all:"], "no code of a package runs"),
        (PLAIN, True, ["--use-pep517"], "sources are built as wheels"),
        (CHECKED, False, ["--require-hashes", "--only-binary", ":all:"], "hashes"),
    ],
)
def test_pip_install(text: str, build: bool, tail: list[str], why: str) -> None:
    argv = pip.install_argv(PYTHON, parse(text, bundle_dir=FOLDER), FOLDER, build=build)
    head = ("/e/bin/python", "-m", "pip", "install", "--no-compile", "-r", "/f/requirements.txt")
    assert argv == (*head, *tail), why


def test_constraints_are_passed_to_both(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("six==1.0")
    wanted = parse("-c c.txt\nsix", bundle_dir=tmp_path)
    for argv in (
        uv.install_argv(UV, PYTHON, wanted, FOLDER, build=False),
        pip.install_argv(PYTHON, wanted, FOLDER, build=False),
    ):
        assert argv[argv.index("-c") + 1] == "/f/constraints.txt"


@pytest.mark.parametrize("build", [False, True])
def test_hashes_are_looked_up_without_network(build: bool) -> None:
    argv = uv.hashes_argv(UV, Path("/base/python"), Path("/f/frozen.txt"), build=build)
    assert "--offline" in argv
    assert ("--no-build" in argv) is not build
    assert argv[argv.index("--python") + 1] == "/base/python"


def test_no_configuration_of_a_bundle_is_read() -> None:
    assert uv.variables(IndexSettings(), Path("/c"))["UV_NO_CONFIG"] == "1"
    assert pip.variables(IndexSettings(), Path("/c"))["PIP_CONFIG_FILE"] == "/dev/null"


def test_pre_releases() -> None:
    index = IndexSettings(pre=True)
    assert uv.variables(index, Path("/c"))["UV_PRERELEASE"] == "allow"
    assert pip.variables(index, Path("/c"))["PIP_PRE"] == "1"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (" + six==1.17.0", "Collecting six==1.17.0"),
        (" + a==1 (from file:///x)", "Collecting a==1"),
        ("Resolved 2 packages in 1ms", "Resolved 2 packages in 1ms"),
    ],
)
def test_installed_packages_are_told_in_the_words_clients_count(said: str, told: str) -> None:
    assert uv.reported(said) == told


def test_pips_report_tells_hashes() -> None:
    report = {
        "install": [
            {"metadata": {"name": "Six"}, "download_info": {"archive_info": {"hashes": {"sha256": "ab"}}}},
            {"metadata": {"name": "b"}, "download_info": {"vcs_info": {}}},
        ]
    }
    assert pip.hashes_of_report(report) == {"six": ("sha256:ab",)}


def test_pips_scripts_get_the_final_path(tmp_path: Path) -> None:
    env, final = tmp_path / ".scratch-x" / "box" / "env", tmp_path / "final"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "flask").write_text(f"#!{env}/bin/python\nimport flask\n")
    (env / "bin" / "tool").write_bytes(b"\x7fELF\0" + str(env).encode())
    outside = tmp_path / "outside"
    outside.write_text(f"{env}")
    (env / "bin" / "link").symlink_to(outside)
    (env / "pyvenv.cfg").write_text(f"command = python -m venv {env}\n")
    pip.relocate(env, final)
    assert (env / "bin" / "flask").read_text() == f"#!{final}/bin/python\nimport flask\n"
    assert (env / "pyvenv.cfg").read_text() == f"command = python -m venv {final}\n"
    assert str(env).encode() in (env / "bin" / "tool").read_bytes()
    assert outside.read_text() == str(env), "a link is not followed"


def test_uv_is_told_of_no_index_in_words() -> None:
    argv = uv.install_argv(UV, PYTHON, parse(PLAIN, bundle_dir=FOLDER), FOLDER, build=False, no_index=True)
    assert "--no-index" in argv
