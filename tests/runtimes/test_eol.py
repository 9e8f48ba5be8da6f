"""End-of-life dates: the shipped table, a fetched copy, and anything else a file may hold."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rostra.runtimes import eol, eol_refresh

TODAY = dt.date(2026, 9, 1)


@pytest.mark.parametrize(
    ("version", "ends", "over", "why"),
    [
        ("3.8.18", "2024-10-07", True, "long over"),
        ("3.9.18", "2025-10-31", True, "over"),
        ("3.10.13", "2026-10-31", False, "still mended, for a while"),
        ("3.14.0rc1", "2030-10-31", False, "a pre-release has its series' date"),
        ("3.99.1", None, False, "nobody knows"),
    ],
)
def test_shipped_dates(version: str, ends: str | None, over: bool, why: str) -> None:
    found = eol.end_of_life(version)
    assert (str(found) if found else None) == ends, why
    assert eol.over(version, TODAY) is over


def test_the_last_day_is_still_mended() -> None:
    assert not eol.over("3.10.1", dt.date(2026, 10, 31))
    assert eol.over("3.10.1", dt.date(2026, 11, 1))


NEWER = {"result": {"releases": [{"name": "3.15", "eolFrom": "2031-12-01"}, {"name": "odd"}, "odd"]}}
OLDER = [{"cycle": "3.15", "eol": "2031-12-01"}, {"cycle": "3.16", "eol": False}]


@pytest.mark.parametrize("told", [NEWER, OLDER])
def test_a_fetched_copy_adds_to_the_shipped_dates(tmp_path: Path, told: object) -> None:
    kept = tmp_path / "eol.json"
    kept.write_text(json.dumps(told))
    table = eol.table_with(kept)
    assert table[3, 15] == dt.date(2031, 12, 1)
    assert table[3, 8] == eol.SHIPPED[3, 8]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "3", '{"result": 1}', '{"result": {"releases": 7}}', '[{"cycle": null}]']
)
def test_a_damaged_copy_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "eol.json").write_text(text)
    assert eol.table_with(tmp_path / "eol.json") == eol.SHIPPED


def test_without_a_copy_the_shipped_dates_count(tmp_path: Path) -> None:
    assert eol.table_with(None) == eol.table_with(tmp_path / "none") == eol.SHIPPED


@pytest.fixture
def answering() -> Iterator[tuple[str, list[bytes]]]:
    """A web server that answers with the last of a list."""
    texts: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(texts[-1])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", texts
        server.shutdown()
        thread.join()


def test_refreshing(tmp_path: Path, answering: tuple[str, list[bytes]]) -> None:
    address, texts = answering
    kept = tmp_path / "cache" / "eol.json"
    texts.append(json.dumps(NEWER).encode())
    assert eol_refresh.refresh(address, kept) == ""
    assert eol.table_with(kept)[3, 15] == dt.date(2031, 12, 1)
    texts.append(b"an error page")
    assert eol_refresh.refresh(address, kept) == "", "not asked again this week"
    os.utime(kept, (0, 0))
    assert "could not be fetched" in eol_refresh.refresh(address, kept)
    assert eol.table_with(kept)[3, 15] == dt.date(2031, 12, 1), "what was there stays"
    assert [path.name for path in kept.parent.iterdir()] == ["eol.json"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "file:///etc/passwd", "nonsense"])
def test_failing_to_refresh_is_only_said(tmp_path: Path, address: str) -> None:
    assert "could not be fetched" in eol_refresh.refresh(address, tmp_path / "eol.json")
    assert not (tmp_path / "eol.json").exists()


def test_not_allowed_means_not_asked(tmp_path: Path) -> None:
    assert eol_refresh.refresh("", tmp_path / "eol.json") == ""
