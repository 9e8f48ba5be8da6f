from __future__ import annotations

import getpass
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rostra.cli.main import main


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough password\n"))
    path = tmp_path / "rostra.gcfg"
    path.write_text(f"[Server]\nDataDir = {tmp_path}\n")
    return str(path)


def test_an_account_can_be_made_once(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["users", "add", "ada", "--role", "viewer", "--config", config])
    assert not ended.value.code
    assert capsys.readouterr().out == "made the account ada\n"
    with pytest.raises(SystemExit) as ended:
        main(["users", "add", "ada", "--config", config])
    assert ended.value.code == 1


def test_a_role_that_is_none_is_a_usage_error(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["users", "add", "ada", "--role", "boss", "--config", config])
    assert ended.value.code == 2
    assert "administrator" in capsys.readouterr().err


def audited(config: str) -> list[tuple[str, str, str]]:
    """Return (action, description, changes) of every entry of the audit log, in order."""
    with closing(sqlite3.connect(Path(config).parent / "rostra.db")) as database:
        return database.execute("SELECT action, description, changes FROM audit_entries ORDER BY id").fetchall()


def test_what_the_command_line_does_to_accounts_is_in_the_audit_log(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["add", "ada", "--role", "administrator"], ["sign-in-link", "ada"], ["add", "ada"]):
        with pytest.raises(SystemExit):
            main(["users", *words, "--config", config])
    token = capsys.readouterr().out.split("/__signin__/")[1].split()[0]
    made, linked = audited(config)  # what was refused changed nothing
    assert (made[0], linked[0]) == ("add_user_by_command", "make_sign_in_link")
    for _, description, _ in (made, linked):
        assert getpass.getuser() in description
    assert '"ada"' in linked[1]
    assert '"administrator"' in made[2]
    for _, description, changes in (made, linked):
        assert token not in description + changes
        assert "a long enough password" not in description + changes
