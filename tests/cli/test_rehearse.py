"""`rostra runtimes rehearse|retire`, over a played source: what is asked, what is printed, what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rehearsal.test_report import item

from rostra.cli import rehearse_sources
from rostra.cli.main import main
from rostra.cli.rehearse_sources import Folder, Report, Served
from rostra.cli.rehearse_table import next_step
from rostra.cli.remote import KeyMissing, Refused, Remote, ServerAway
from rostra.rehearsal.notify import MailIsOff
from rostra.rehearsal.records import Present, Wanted

TOLD = {
    "id": "r1", "retire": ["3.8"], "onto": "auto", "state": "done", "note": "", "task_id": "t1", "waiting": 0,
    "steps": ["match", "resolve", "build", "start", "static"], "created_at": "2026-11-21T00:00:00Z",
    "finished_at": None,
    "summary": {"safe": 1, "new-pins": 0, "needs-work": 1, "impossible": 0},
}  # fmt: skip
ITEMS = [item("alpha"), item("beta", "needs-work", 7, reason="Line 3 breaks.")]


class PlayedSource:
    def __init__(self, items: Sequence[dict[str, Any]] = ITEMS) -> None:
        self.items = list(items)
        self.asked: list[tuple[Wanted | None, str]] = []
        self.rehearsed = True
        self.mail = True
        self.notified: list[str] = []
        self.told = TOLD

    def report(self) -> Report:
        return Report(told=self.told, items=self.items, still=[each["guid"] for each in self.items], server="Rostra")

    def rehearse(self, wanted: Wanted | None, resume: str) -> Report:
        self.asked.append((wanted, resume))
        return self.report()

    def last(self, version: str) -> Report | None:
        return self.report() if self.rehearsed else None

    def still(self, version: str) -> Sequence[Present]:
        return [Present(guid=each["guid"], title=each["title"], bundle_id=each["bundle_id"]) for each in self.items]

    def move_safe(self, last: Report) -> Iterator[tuple[str, str]]:
        for each in [each for each in self.items if each["outcome"] == "safe"]:
            self.items.remove(each)
            yield each["title"], ""

    def require_mail(self) -> None:
        if not self.mail:
            raise MailIsOff

    def notify(self, found: Report) -> dict[str, list[str]]:
        self.notified.append(found.told["id"])
        return {"mailed": ["ada"], "before": [], "unreachable": ["eve"]}


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> PlayedSource:
    made = PlayedSource()
    monkeypatch.setattr(rehearse_sources, "source", lambda *_: made)
    return made


@pytest.fixture
def rostra(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["runtimes", *words])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_what_was_not_started_is_not_offered_for_moving(played: PlayedSource, rostra: Any) -> None:
    played.told = TOLD | {"steps": ["match", "resolve"]}
    _, out, err = rostra("rehearse", "--retire", "3.8", "--depth", "resolve")
    assert ITEMS[0]["reason"] in out, "safe says how far it was looked"
    assert "rehearse --retire 3.8\n      starts them too" in err
    assert "--rebuild-safe" not in err


def test_the_table_has_the_worst_first(played: PlayedSource, rostra: Any) -> None:
    code, out, _ = rostra("rehearse", "--retire", "3.8")
    assert code == 0
    assert out.index("beta") < out.index("alpha")
    assert "1 safe, 0 new-pins, 1 needs-work, 0 impossible" in out


@pytest.mark.parametrize(
    ("words", "steps", "why"),
    [
        ((), "match resolve build start static", "everything"),
        (("--depth", "resolve"), "match resolve", "up to there"),
        (("--no-start",), "match resolve build static", "nothing is run"),
        (("--no-build",), "match resolve static", "nothing is installed, so nothing starts"),
    ],
)
def test_how_deep(played: PlayedSource, rostra: Any, words: tuple[str, ...], steps: str, why: str) -> None:
    rostra("rehearse", "--retire", "3.8,3.9", "--onto", "3.12", *words)
    wanted = played.asked[0][0]
    assert " ".join(wanted.steps) == steps, why
    assert (wanted.wish.retire, wanted.wish.onto) == (("3.8", "3.9"), "3.12")


def test_the_next_command_is_given_whole(played: PlayedSource, rostra: Any) -> None:
    _, _, said = rostra("rehearse", "--retire", "3.8", "--server", "https://rostra.example.org")
    assert "rostra runtimes rehearse --resume r1 --notify --server https://rostra.example.org\n" in said
    untold = {**TOLD, "steps": ["match"], "onto": "3.12"}
    words = next_step(untold, ITEMS, "--config /etc/r.gcfg").splitlines()
    assert words[1] == "  rostra runtimes rehearse --retire 3.8 --onto 3.12 --config /etc/r.gcfg"
    ranges = {**untold, "retire": ["<3.10"], "onto": ">=3.12"}
    assert next_step(ranges, ITEMS).splitlines()[1] == "  rostra runtimes rehearse --retire '<3.10' --onto '>=3.12'"
    assert "retire '<3.10'" in next_step({**TOLD, "retire": ["<3.10"]}, [])


def test_reports_are_written_as_asked(played: PlayedSource, rostra: Any, tmp_path: Path) -> None:
    code, out, _ = rostra("rehearse", "--retire", "3.8", "--format", "json")
    assert [each["guid"] for each in json.loads(out)["items"]] == ["beta", "alpha"]
    for form, begins in (("csv", "guid,name"), ("html", "<!doctype html>"), ("table", "outcome")):
        path = tmp_path / form
        code, out, err = rostra("rehearse", "--retire", "3.8", "--format", form, "--output", str(path))
        assert (code, out) == (0, "")
        assert path.read_text().startswith(begins)
        assert str(path) in err
    assert rostra("rehearse", "--retire", "3.8", "--format", "pdf")[0] == 1


def test_owners_get_their_part_as_files(played: PlayedSource, rostra: Any, tmp_path: Path) -> None:
    _, _, err = rostra("rehearse", "--retire", "3.8", "--pages", str(tmp_path / "pages"))
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["ada.html"]
    assert "mailed" not in err


def test_owners_are_mailed_their_part(played: PlayedSource, rostra: Any) -> None:
    _, _, err = rostra("rehearse", "--retire", "3.8", "--notify")
    assert played.notified == ["r1"]
    assert "Owners who are mailed their own part: 1 (ada)" in err
    assert "Without an address, or locked: 1 (eve); --pages DIR" in err


def test_without_mail_nothing_is_rehearsed(played: PlayedSource, rostra: Any) -> None:
    played.mail = False
    code, _, err = rostra("rehearse", "--retire", "3.8", "--notify")
    assert (code, played.asked) == (1, [])
    assert "EmailProvider" in err


def test_one_can_be_gone_on_with(played: PlayedSource, rostra: Any) -> None:
    rostra("rehearse", "--resume", "r1")
    assert played.asked == [(None, "r1")]


def test_nothing_named_is_refused(played: PlayedSource, rostra: Any) -> None:
    code, _, err = rostra("rehearse")
    assert code == 1
    assert "no version was named" in err


def test_retiring_is_refused_while_something_would_break(played: PlayedSource, rostra: Any) -> None:
    code, out, err = rostra("retire", "3.8")
    assert (code, out) == (1, "")
    assert "would break 1 item: beta" in err
    assert "--anyway" in err


def test_retiring_is_refused_unrehearsed(played: PlayedSource, rostra: Any) -> None:
    played.rehearsed = False
    code, _, err = rostra("retire", "3.8")
    assert code == 1
    assert "rostra runtimes rehearse --retire 3.8" in err


def test_anyway_says_what_to_write_and_writes_nothing(played: PlayedSource, rostra: Any) -> None:
    code, out, _ = rostra("retire", "3.8", "--anyway")
    assert code == 0
    assert "Retired = 3.8" in out


def test_safe_ones_are_moved_first(played: PlayedSource, rostra: Any) -> None:
    played.items = [item("alpha")]
    assert "--rebuild-safe" in rostra("retire", "3.8")[2]
    code, out, err = rostra("retire", "3.8", "--rebuild-safe")
    assert code == 0
    assert "alpha: moved" in err
    assert "Retired = 3.8" in out


def test_the_file_is_only_edited_when_asked_to(played: PlayedSource, rostra: Any, tmp_path: Path) -> None:
    config = tmp_path / "rostra.gcfg"
    config.write_text("[Python]\nEnabled = true\n")
    rostra("retire", "3.8", "--anyway", "--config", str(config))
    assert "Retired" not in config.read_text()
    rostra("retire", "3.8", "--anyway", "--config", str(config), "--write")
    assert config.read_text() == "[Python]\nEnabled = true\nRetired = 3.8\n"
    code, _, err = rostra("retire", "3.8", "--anyway", "--write")
    assert code == 1
    assert "--config" in err


def test_where_it_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(rehearse_sources.source("", "", None), Folder)
    assert isinstance(rehearse_sources.source("http://x.example", "k", None), Served)
    monkeypatch.setenv("CONNECT_SERVER", "http://x.example")
    with pytest.raises(KeyMissing):
        rehearse_sources.source("", "", None)
    monkeypatch.setenv("CONNECT_API_KEY", "k")
    assert isinstance(rehearse_sources.source("", "", None), Served)
    assert isinstance(rehearse_sources.source("", "", tmp_path / "x.gcfg"), Folder), "a file that was named outranks it"


class _Answers(BaseHTTPRequestHandler):
    """A server that rehearses one item in two looks."""

    looks = 0

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        assert json.loads(self.rfile.read(int(self.headers["Content-Length"])))["leave_out"] == ["build", "start"]
        self._send(202, TOLD)

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Key good":
            self._send(401, {"code": 24, "error": "the key is not known", "payload": None})
        elif "/tasks/" in self.path:
            _Answers.looks += 1
            self._send(200, {"output": ["x"], "last": 1, "finished": _Answers.looks > 1, "code": 0, "error": ""})
        elif self.path.endswith("/report"):
            self._send(200, {**TOLD, "items": ITEMS, "still": ["beta"]})
        else:
            self._send(200, TOLD)


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_a_running_server_is_asked(server: str, rostra: Any) -> None:
    code, out, err = rostra(
        "rehearse", "--retire", "3.8", "--no-build", "--server", server, "--api-key", "good", "--format", "json"
    )
    assert code == 0, err
    assert len(json.loads(out)["items"]) == 2


def test_a_servers_refusal_is_shown(server: str) -> None:
    with pytest.raises(Refused, match="the key is not known"):
        Remote(server, "bad").ask("GET", "v1/rehearsals")
    with pytest.raises(ServerAway):
        Remote("http://127.0.0.1:1", "k").ask("GET", "v1/rehearsals")


@pytest.mark.parametrize(("columns", "table"), [(80, False), (160, True)])
def test_a_narrow_terminal_gets_a_list(
    played: PlayedSource, rostra: Any, monkeypatch: pytest.MonkeyPatch, columns: int, table: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, err = rostra("rehearse", "--retire", "3.8")
    assert ("reason, and what to do" in out) == table
    assert "Line 3 breaks." in out
    assert max(map(len, out.splitlines())) <= columns
    assert "rostra runtimes retire 3.8 --rebuild-safe" in err
    assert "--resume r1 --notify" in err
