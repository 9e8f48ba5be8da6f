"""A small data folder with a bit of everything, and a backup of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from rostra.app.backup import (
    DATABASE,
    back_up,
)
from rostra.config.sections import Server, Settings

TABLES = """
CREATE TABLE items (id INTEGER PRIMARY KEY, guid TEXT, live_bundle_id INTEGER, deleted_at TEXT);
CREATE TABLE bundles (id INTEGER PRIMARY KEY, item_id INTEGER, state TEXT);
CREATE TABLE renderings (id INTEGER PRIMARY KEY, item_id INTEGER, path TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO items VALUES (1, 'g', 7, NULL);
INSERT INTO bundles VALUES (7, 1, 'built');
"""


def quiet(_: str) -> None:
    pass


def write(folder: Path, name: str, text: str = "", mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write(folder, "secrets/variables.key", "secret")
    write(folder, "bundles/g/7.tar.gz", "archive")
    write(folder, "apps/g/7/app.py", "print()", 0o444)
    write(folder, "bundles/g/.scratch-1/half")
    write(folder, "run/control.lock")
    write(folder, "cache/uv/big", "x" * 1000)
    first = write(folder, "environments/python/3.11.7/k1/lib/shared.py", "shared", 0o444)
    (folder / "environments/python/3.11.7/k2/lib").mkdir(parents=True)
    os.link(first, folder / "environments/python/3.11.7/k2/lib/shared.py")
    (folder / "environments/python/3.11.7/k1/bin").mkdir()
    (folder / "environments/python/3.11.7/k1/bin/python").symlink_to("/opt/python/bin/python3")
    big = write(folder, "unpacked/s/big-1/tree/lib/big/__init__.py", "", 0o444).parent
    (folder / "environments/python/3.11.7/k1/lib/big").symlink_to(big)
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.executescript(TABLES)
    return folder


def settings(folder: Path, provider: str = "sqlite") -> Settings:
    made = Settings()
    database = dataclasses.replace(made.database, provider=provider)
    return dataclasses.replace(made, server=Server(data_dir=folder), database=database)


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Path:
    os.utime(data / "apps/g/7/app.py", (1e9, 1e9))
    return back_up(settings(data), tmp_path / "b.tar.gz", quiet).path


def tree(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        told = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (stat.S_IMODE(facts.st_mode), told)
    return found
