"""`rostra environments`, `runtimes audit` and `upgrade check` on a data folder nobody serves."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from content.test_audit import publish, visits
from environments.test_inventory import shelve
from support.database import migrate, sqlite_settings
from support.items import add_user

from rostra.cli.main import main
from rostra.content.tables import Item
from rostra.db.engine import open_engine, session_factory, transaction

VERSION = platform.python_version()
Run = Callable[..., tuple[int, str, str]]


@dataclass
class Data:
    """A data folder with a configuration that names this interpreter."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "rostra.gcfg"

    def configure(self, *lines: str) -> None:
        python = "\n".join(lines or (f"Executable = {os.path.realpath(sys.executable)}",))
        self.config.write_text(f"[Server]\nDataDir = {self.folder}\n[Python]\nEnabled = true\n{python}\n")

    def fill(self) -> None:
        """Make a database with one item on this Python and one on a Python that is gone."""

        async def work() -> None:
            settings = sqlite_settings(self.folder)
            await migrate(settings)
            engine = open_engine(settings)
            async with transaction(session_factory(engine)) as session:
                ada = await add_user(session, "ada")
                here = await publish(session, ada, "Here", VERSION, runtime_path=os.path.realpath(sys.executable))
                gone = await publish(session, ada, "=Gone", "3.8.18", environment_key="old")
                await visits(session, here, 0.1)
                assert isinstance(gone, Item)
            await engine.dispose()

        asyncio.run(work())

    def revision(self, wanted: str) -> None:
        with sqlite3.connect(self.folder / "rostra.db") as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (wanted,))
        database.close()

    def state(self) -> dict[str, tuple[int, int]]:
        """Return what tells whether any file was changed."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def data(tmp_path: Path) -> Data:
    made = Data(tmp_path)
    made.configure()
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], data: Data) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        try:
            main([*words, "--config", str(data.config)])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_environments_are_listed_without_a_database(data: Data, run: Run) -> None:
    shelve(data.folder, "a")
    before = data.state()
    code, out, err = run("environments", "list", "--format", "json")
    assert code == 0
    assert [(row["key"], row["state"]) for row in json.loads(out)] == [("a", "interpreter gone")]
    assert "there is no database" in err
    assert data.state() == before


def test_environments_are_listed_with_what_needs_them(data: Data, run: Run) -> None:
    data.fill()
    shelve(data.folder, "old", version="3.8.18")
    shelve(data.folder, "over", place="overlays")
    code, out, _ = run("environments", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["Python", "3.8.18", "3.11.7"]
    assert "=Gone" in out
    assert "over (overlay)" in out
    _, out, _ = run("environments", "list", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (rows[0]["key"], rows[0]["python"], rows[0]["state"]) == ("old", "3.8.18", "interpreter gone")


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("words", [("environments", "list"), ("runtimes", "audit")])
def test_tables_fit_the_terminal(
    data: Data, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int, words: tuple[str, str]
) -> None:
    data.fill()
    shelve(data.folder, "old", version="3.8.18")
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = run(*words)
    assert (code, "=Gone" in out) == (0, True)
    assert max(map(len, out.splitlines())) <= columns


def test_a_piped_audit_keeps_its_rows_and_shows_the_schedule(
    data: Data, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.fill()
    monkeypatch.delenv("COLUMNS", raising=False)
    versions, items = run("runtimes", "audit")[1].split("\n\n")
    assert items.splitlines()[0].split()[-1] == "schedule"
    assert len(items.splitlines()) == 3
    assert versions.splitlines()[0].startswith("Python")


def test_a_backup_is_written_where_it_is_told(data: Data, run: Run, tmp_path: Path) -> None:
    data.fill()
    first, second = tmp_path / "../one.tar.gz", tmp_path / "../two.tar.gz"
    for path, words in ((first, [str(first)]), (second, ["--output", str(second)])):
        path.unlink(missing_ok=True)
        assert run("backup", *words)[0] == 0
        assert path.stat().st_size > 0
    code, _, err = run("backup", str(first), "--output", str(second))
    assert (code, "name the file once" in err) == (2, True)


def test_reaping_without_a_server(data: Data, run: Run) -> None:
    data.fill()
    for key in ("old", "orphan"):
        shelve(data.folder, key, version="3.8.18")
    told = data.folder / "environments/python/3.8.18"
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(days=90)).isoformat()
    for record in told.glob("*/rostra.json"):
        record.write_text(json.dumps(json.loads(record.read_text()) | {"created_at": then}))
    assert "Would remove environment orphan" in run("environments", "reap", "--dry-run")[1]
    assert (told / "orphan").exists()
    code, out, _ = run("environments", "reap", "--unused-for", "60d")
    assert code == 0
    assert "Removed environment orphan" in out
    assert [path.name for path in told.iterdir()] == ["old"], "a live bundle was built with it"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("environments", "reap", "--unused-for", "long"), "is not a duration"),
        (("environments", "reap", "--unused-for", "5m"), "too short"),
        (("environments", "rebuild", "--python", "new"), "is not a version"),
        (("environments", "rebuild"), "there is no database"),
        (("environments", "reap"), "there is no database"),
        (("runtimes", "audit"), "there is no database"),
        (("runtimes", "audit", "--python", "new"), "is not a version"),
        (("runtimes", "audit", "--unused-for", "long"), "is not a duration"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], why: str) -> None:
    code, _, err = run(*words)
    assert code == 1
    assert why in err


def test_a_rebuild_waits_for_the_server(data: Data, run: Run) -> None:
    data.fill()
    for _ in range(2):
        code, out, _ = run("environments", "rebuild", "--python", "3.8")
        assert code == 0
        assert "begins when it starts" in out
    with sqlite3.connect(data.folder / "rostra.db") as database:
        rows = database.execute("SELECT kind, payload FROM tasks").fetchall()
    database.close()
    assert [(kind, json.loads(payload)) for kind, payload in rows] == [
        ("rebuild-environments", {"python": "3.8", "parallel": 1})
    ], "asked twice, done once"


def test_the_audit_in_three_forms(data: Data, run: Run) -> None:
    data.fill()
    _, out, _ = run("runtimes", "audit", "--format", "json")
    told = json.loads(out)
    assert {row["title"]: row["interpreter_gone"] for row in told["items"]} == {"Here": False, "=Gone": True}
    assert {row["version"]: row["state"] for row in told["versions"]} == {VERSION: "active", "3.8.18": "gone"}
    _, out, _ = run("runtimes", "audit", "--format", "csv", "--python", "3.8")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["title"], row["visits_30_days"]) for row in rows] == [("'=Gone", "0")]
    _, out, _ = run("runtimes", "audit", "--python", "<3.9", "--unused-for", "30d")
    assert "3.8.18 (gone)" in out
    assert "Here" not in out
    assert "2024-10-07 (over)" in out


def findings(out: str) -> list[tuple[str, str]]:
    return [(each["weight"], each["about"]) for each in json.loads(out)["findings"]]


def test_a_good_server_has_nothing_to_fear(data: Data, run: Run) -> None:
    data.fill()
    with sqlite3.connect(data.folder / "rostra.db") as database:
        database.execute("UPDATE items SET deleted_at = created_at WHERE title = '=Gone'")
    database.close()
    before = data.state()
    code, out, _ = run("upgrade", "check")
    assert (code, out) == (0, "nothing would be refused or changed\n")
    assert data.state() == before, "nothing was changed"


def breaking(data: Data, name: str) -> None:
    if name == "content":
        data.fill()
    elif name == "unknown setting":
        data.configure("Executabel = /usr/bin/python3")
    elif name == "below minimum":
        data.configure(f"Executable = {os.path.realpath(sys.executable)}", "MinimumVersion = 3.99.0")
    elif name == "newer database":
        data.fill()
        data.revision("9999")
    elif name == "no database":
        (data.folder / "rostra.db").write_text("this is no database" * 100)


@pytest.mark.parametrize(
    ("name", "about", "words"),
    [
        ("content", "content", "=Gone"),
        ("unknown setting", "configuration", "Executabel"),
        ("below minimum", "interpreters", "the server would not start"),
        ("newer database", "database", "revision 9999, which this release does not know"),
        ("no database", "database", "cannot be used"),
    ],
)
def test_what_would_break_is_found_before_it_does(data: Data, run: Run, name: str, about: str, words: str) -> None:
    breaking(data, name)
    before = data.state()
    code, out, _ = run("upgrade", "check", "--json")
    assert code == 1
    assert ("breaks", about) in findings(out)
    assert words in out
    assert json.loads(out)["ok"] is False
    assert data.state() == before, "nothing was changed"


def test_what_would_be_changed_is_said(data: Data, run: Run) -> None:
    data.fill()
    data.revision("0002_rehearsals")
    with sqlite3.connect(data.folder / "rostra.db") as database:
        database.execute("UPDATE items SET deleted_at = created_at WHERE title = '=Gone'")
        older = ".".join([*VERSION.split(".")[:2], "0"])
        database.execute("UPDATE bundles SET runtime_version = ? WHERE runtime_version = ?", (older, VERSION))
    database.close()
    shelve(data.folder, "old", version="3.8.18")
    data.configure(
        f"Executable = {os.path.realpath(sys.executable)}", "Executable = /not/there/python3", "FromSource = 1"
    )
    code, out, _ = run("upgrade", "check")
    assert code == 0, out
    for words in (
        "would be brought from 0002_rehearsals to",
        f"1 item on Python {older} would run on {VERSION}",
        "1 environment of Python 3.8.18 would not be used",
        "/not/there/python3 does not exist: it would not be used",
        "FromSource",
    ):
        assert words in out, out
    lines: list[Any] = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert lines == sorted(lines, key=["breaks", "changes", "note"].index), "the worst first"


def test_an_empty_folder_is_only_noted(run: Run) -> None:
    code, out, _ = run("upgrade", "check")
    assert code == 0
    assert "the first start makes one" in out
