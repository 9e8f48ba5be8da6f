from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from rostra.cli.main import main

HERE = Path(os.path.realpath(sys.executable))
NOW = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def rostra(capsys: pytest.CaptureFixture[str]):
    """Run the command line; return exit status, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "server.gcfg"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("words", "version", "reason"),
    [
        (["3.9.6", "--installed", "3.9.4,3.9.6,3.9.9"], "3.9.6", "Chose exact match"),
        (["3.9.3", "--installed", "3.9.1,3.9.5,3.9.6"], "3.9.5", "Chose lowest 3.9.X release after 3.9.3"),
        (
            ["3.8.10", "--installed", "3.8.4, 3.8.9, 3.9.2", "--policy", "major-minor"],
            "3.8.9",
            "Chose the latest 3.8.X release since all are before 3.8.10",
        ),
        (["3.9.6", "--installed", "3.9.6,3.9.7", "--policy", "exact"], "3.9.6", "Chose exact match"),
        (
            ["--requires", ">=3.9,<3.12", "--installed", "3.9.6,3.11.7"],
            "3.11.7",
            "Chose the newest release within >=3.9,<3.12",
        ),
        (["--installed", "3.9.6"], "3.9.6", "Chose the newest release since no version was asked for"),
    ],
)
def test_match_among_a_given_list(rostra, words: list[str], version: str, reason: str) -> None:
    code, out, _ = rostra("runtimes", "match", *words, "--json")
    assert code == 0
    assert json.loads(out) == {"version": version, "reason": reason}


def test_match_that_fails(rostra) -> None:
    words = ["runtimes", "match", "3.9.6", "--policy", "exact", "--installed", "3.9.4,3.9.7"]
    text = "Cannot find compatible environment: no compatible Local environment with Python version 3.9.6"
    code, out, _ = rostra(*words, "--json")
    assert code == 1
    assert json.loads(out) == {"version": None, "reason": text}
    code, out, err = rostra(*words)
    assert (code, out) == (1, "")
    assert err.startswith(f"rostra: {text}\nThis server has Python 3.9.4, 3.9.7")


def test_nothing_installed_is_not_what_is_here(rostra) -> None:
    code, out, _ = rostra("runtimes", "match", "3.9.6", "--installed", "", "--json")
    assert code == 1
    assert json.loads(out)["version"] is None


def test_a_python_from_a_working_copy_is_understood(rostra) -> None:
    code, out, _ = rostra("runtimes", "match", "3.13.0+", "--installed", "3.13.0", "--json")
    assert (code, json.loads(out)["version"]) == (0, "3.13.0")


@pytest.mark.parametrize("words", [["3.x"], ["--requires", "new"], ["3.9.1", "--installed", "3.9,y"]])
def test_programs_are_told_of_bad_words_as_json(rostra, words: list[str]) -> None:
    code, out, _ = rostra("runtimes", "match", *words, "--json")
    assert code == 1
    assert "cannot be understood" in json.loads(out)["reason"]


def test_match_for_people(rostra) -> None:
    code, out, _ = rostra("runtimes", "match", "3.14.0", "--installed", "3.14.0rc1")
    assert code == 0
    assert out.splitlines() == [
        "3.14.0rc1  Chose the latest 3.14.X release since all are before 3.14.0",
        "warning: Python 3.14.0rc1 is a pre-release and was chosen because nothing else fits",
    ]


def test_match_follows_the_configuration(rostra, file) -> None:
    config = file("[Python]\nVersionMatching = exact\nDeprecated = 3.9\n")
    code, _, _ = rostra("runtimes", "match", "3.8.1", "--installed", "3.8.2", "--config", config)
    assert code == 1
    code, out, _ = rostra("runtimes", "match", "3.9.1", "--installed", "3.9.1", "--config", config, "--json")
    assert code == 0
    assert "deprecated" in json.loads(out)["warnings"][0]


def test_match_among_what_is_configured(rostra, file) -> None:
    config = file(f"[Python]\nEnabled = true\nExecutable = {HERE}\n")
    code, out, _ = rostra("runtimes", "match", NOW, "--config", config)
    assert code == 0
    assert out == f"{NOW}  {HERE}  Chose exact match\n"


@pytest.mark.parametrize("words", [["3.x"], ["--requires", "new"], ["3.9.1", "--installed", "3.9,y"]])
def test_words_that_are_no_versions(rostra, words: list[str]) -> None:
    code, _, err = rostra("runtimes", "match", *words)
    assert code == 1
    assert "cannot be understood" in err


def test_list_says_what_can_be_used_and_why_not(rostra, file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    config = file(f"[Python]\nEnabled = true\nExecutable = {HERE}\nExecutable = {tmp_path}/gone\n")
    code, out, _ = rostra("runtimes", "list", "--config", config)
    _, first, second = out.splitlines()
    assert code == 0
    assert first.split()[:2] == ["Python", NOW]
    assert first.endswith("usable")
    assert second.endswith("does not exist")
    code, out, _ = rostra("runtimes", "list", "--config", config, "--json")
    assert [(row["version"], row["usable"]) for row in json.loads(out)] == [(NOW, True), (None, False)]


def test_a_narrow_terminal_gets_a_list(rostra, file, monkeypatch: pytest.MonkeyPatch) -> None:
    config = file(f"[Python]\nEnabled = true\nExecutable = {HERE}\nExecutable = /gone\n")
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = rostra("runtimes", "list", "--config", config)
    assert [line for line in out.splitlines() if line.startswith("Python")] == [
        f"Python  {NOW}  usable",
        "Python  -  does not exist",
    ]


def test_list_without_python(rostra, file) -> None:
    code, out, _ = rostra("runtimes", "list", "--config", file(""))
    assert (code, out) == (0, "Python is not enabled; set [Python] Enabled = true\n")
