from __future__ import annotations

import io
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
