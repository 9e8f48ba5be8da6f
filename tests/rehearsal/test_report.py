"""The report for people and programs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from pathlib import Path
from typing import Any

from rostra.rehearsal import report

TOLD = {
    "id": "r1",
    "retire": ["3.8"],
    "onto": "auto",
    "steps": ["match"],
    "state": "done",
    "created_at": "2026-11-21T00:00:00Z",
}


def item(name: str, outcome: str = "safe", visits: int = 0, owner: str = "ada", **more: Any) -> dict[str, Any]:
    return {
        "guid": name, "name": name, "title": name, "outcome": outcome, "depth": "static", "decided_by": "start",
        "reason": "Because.", "where": "", "action": "Do it.", "from": "3.8.18", "to": "3.13.0", "kind": "python-api",
        "broken_today": False, "changed": [], "edits": [], "added": [], "dropped": [], "from_source": [], "pins": [],
        "notes": [], "lines": [], "url": f"http://x.example/content/{name}/",
        "match": "", "bundle_id": 1, "environment_key": "abc", "built_key": "", "seconds": 1.5,
        "owner": {
            "guid": "7d0c6c1e-58b7-4c3f-9a55-5a1c6d9b2f10", "username": owner, "name": owner.title(),
            "email": f"{owner}@x.example", "locked": False,
        },
        "use": {"visits_30d": visits, "deployed_at": None, "started_at": None, "visited_at": None},
    } | more  # fmt: skip


def test_worst_and_most_used_first() -> None:
    items = [item("a"), item("b", "needs-work", 1), item("c", "needs-work", 9), item("d", "impossible")]
    assert [each["guid"] for each in report.ordered(items)] == ["d", "c", "b", "a"]


def test_csv_cannot_be_a_formula() -> None:
    rows = list(
        csv.reader(
            io.StringIO(
                report.as_csv([item("x", reason="=cmd()", changed=[{"name": "a", "before": "1", "after": "2"}])])
            )
        )
    )
    told = dict(zip(rows[0], rows[1], strict=True))
    assert told["reason"] == "'=cmd()"
    assert told["changed"] == "a 1 -> 2"
    assert told["owner"] == "ada"


def test_the_page_escapes_what_others_wrote_and_fetches_nothing() -> None:
    evil = "<script>alert(1)</script>"
    page = report.as_html(TOLD, [item(evil, "needs-work", lines=[evil], notes=[evil], reason=evil)], server="Rostra")
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    assert "<link" not in page


def test_an_empty_page_says_so() -> None:
    assert "Nothing runs on it." in report.as_html(TOLD, [], server="Rostra")


def test_every_owner_with_something_to_do_gets_their_own_part(tmp_path: Path) -> None:
    items = [
        item("a", "needs-work", owner="ada"),
        item("b", owner="ada"),
        item("c", owner="bob"),
        item("d", "impossible", owner="../eve"),
    ]
    written = report.write_letters(TOLD, items, tmp_path / "out", server="Rostra")
    assert [path.name for path in written] == ["_eve.html", "ada.html"]
    assert all(path.parent == tmp_path / "out" for path in written)
    text = (tmp_path / "out" / "ada.html").read_text()
    assert "Ada: your content" in text
    assert "/content/a/" in text
    assert "/content/c/" not in text


def test_many_items_can_be_searched_by_the_page_s_own_script_alone() -> None:
    page = report.as_html(TOLD, [item(f"</script><script>x{n}") for n in range(11)], server="Rostra")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in report.content_security_policy()
    assert "<script" not in report.as_html(TOLD, [item("a")], server="Rostra"), "a few need no search"


def test_owners_are_listed_by_what_they_have_to_do() -> None:
    items = [item("a", owner="ada"), item("b", "needs-work", 2, owner="bob"), item("c", "safe", 3, owner="bob")]
    page = report.as_html(TOLD, items, server="Rostra")
    rows = re.findall(r"<tr>.*?</tr>", page[page.index('class="owners"') :], re.DOTALL)[1:3]
    cells = [[re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows]
    assert cells == [["Bob bob@x.example", "1", "", "1", "", "5"], ["Ada ada@x.example", "1", "", "", "", "0"]]
    assert 'class="owners"' not in report.as_html(TOLD, items[:1], server="Rostra"), "one owner needs no list"
