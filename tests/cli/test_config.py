from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rostra.cli.main import main


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


@pytest.fixture
def rostra(capsys: pytest.CaptureFixture[str]):
    """Run the command line; return exit status, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_check_is_quiet_about_a_good_file(rostra) -> None:
    Path("server.gcfg").write_text("[HTTP]\nListen = :3939\n")
    assert rostra("config", "check", "--config", "server.gcfg") == (0, "server.gcfg: no mistakes\n", "")


def test_check_names_every_mistake(rostra) -> None:
    Path("server.gcfg").write_text("[HTTP]\nLisen = :3939\n[Python]\nEnabled = perhaps\n")
    code, out, err = rostra("config", "check", "--config", "server.gcfg")
    assert (code, out) == (1, "")
    assert err.splitlines()[:2] == [
        "server.gcfg:2: [HTTP] Lisen: no such setting; did you mean Listen?",
        "server.gcfg:4: [Python] Enabled: 'perhaps' is neither true nor false",
    ]
    code, out, err = rostra("config", "check", "--config", "server.gcfg", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["problems"] == [
        "server.gcfg:2: [HTTP] Lisen: no such setting; did you mean Listen?",
        "server.gcfg:4: [Python] Enabled: 'perhaps' is neither true nor false",
    ]


def test_check_names_what_is_not_supported(rostra) -> None:
    Path("server.gcfg").write_text("[Licensing]\nLicenseType = Remote\n")
    code, _, err = rostra("config", "check", "--config", "server.gcfg")
    assert code == 0
    assert err == "note: server.gcfg:2: [Licensing] LicenseType: not supported here, ignored\n"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("[Python]\nEnabled = true\nExecutable = /gone/python3\n", "[Python] Executable: /gone/python3 does not exist"),
        ("[R]\nEnabled = true\nExecutable = /gone/R\n", "[R] Executable: /gone/R does not exist"),
    ],
)
def test_check_looks_at_the_interpreters(rostra, lines: str, why: str) -> None:
    Path("server.gcfg").write_text(lines)
    code, out, err = rostra("config", "check", "--config", "server.gcfg")
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == f"rostra: server.gcfg:3: {why}"
    code, out, _ = rostra("config", "check", "--config", "server.gcfg", "--json")
    assert (code, json.loads(out)["problems"]) == (1, [f"server.gcfg:3: {why}"])


def test_check_refuses_what_is_below_the_minimum(rostra) -> None:
    Path("server.gcfg").write_text(
        f"[Python]\nEnabled = true\nMinimumVersion = 3.99.0\nExecutable = {sys.executable}\n"
    )
    code, _, err = rostra("config", "check", "--config", "server.gcfg")
    assert code == 1
    assert err.startswith(
        f"rostra: server.gcfg:4: [Python] Executable: {sys.executable} is older than the minimum 3.99.0"
    )


def test_what_is_only_found_is_no_mistake(rostra) -> None:
    Path("server.gcfg").write_text("[Python]\nEnabled = true\nMinimumVersion = 3.99.0\n")
    assert rostra("config", "check", "--config", "server.gcfg")[0] == 0


def test_show_prints_values_and_where_they_came_from(rostra) -> None:
    Path("server.gcfg").write_text(
        "[Python]\nEnabled = true\nExecutable = /a\nExecutable = /b\n[Postgres]\nPassword = hunter2\n"
    )
    code, out, _ = rostra("config", "show", "--config", "server.gcfg")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "Python.Executable = /a ; server.gcfg:3" in lines
    assert "Python.Executable = /b ; server.gcfg:4" in lines
    assert "Postgres.Password = (hidden) ; server.gcfg:6" in lines
    assert "Scheduler.MaxProcesses = 3" in lines
    assert "hunter2" not in out


def test_show_as_json(rostra) -> None:
    code, out, _ = rostra("config", "show", "--json")
    rows = {row["name"]: row for row in json.loads(out)["settings"]}
    assert code == 0
    assert rows["HTTP.Listen"]["value"] == "127.0.0.1:3939"
    assert rows["HTTP.Listen"]["source"] == "evaluation server"


def test_explain(rostra) -> None:
    code, out, _ = rostra("config", "explain", "python.versionmatching")
    assert code == 0
    assert out.startswith("Python.VersionMatching\n  How the interpreter for new content is chosen.\n")
    assert "one of major-minor, exact, nearest" in out


def test_explain_fits_the_terminal(rostra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, narrow, _ = rostra("config", "explain", "Python.Executable")
    assert max(map(len, narrow.splitlines())) <= 60
    monkeypatch.delenv("COLUMNS")
    _, piped, _ = rostra("config", "explain", "Python.Executable")
    assert len(piped.splitlines()) < len(narrow.splitlines())


def test_explain_of_nothing(rostra) -> None:
    code, out, err = rostra("config", "explain", "Python.Executabel")
    assert (code, out) == (1, "")
    assert err == "rostra: there is no setting Python.Executabel\nDid you mean Python.Executable?\n"


def test_help_lists_every_command_without_importing_them(rostra) -> None:
    code, out, _ = rostra("--help")
    assert code == 0
    assert all(word in out for word in ("serve", "reload", "config", "runtimes"))


def test_help_is_quick_because_it_imports_little() -> None:
    heavy = "{'sqlalchemy', 'fastapi', 'starlette', 'pydantic', 'uvicorn', 'nbconvert', 'cryptography'}"
    code = (
        "import sys\nfrom rostra.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit(repr(heavy) if (heavy := {heavy} & set(sys.modules)) else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_version(rostra) -> None:
    code, out, _ = rostra("--version")
    assert code == 0
    assert out.startswith("rostra 0.")


def test_a_wrong_word_is_a_usage_error(rostra) -> None:
    assert rostra("bogus")[0] == 2
    assert rostra("config", "bogus")[0] == 2
