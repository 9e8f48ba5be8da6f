"""A rehearsal as JSON, CSV, one HTML page, and one page for each owner. Pure, apart from reading the template."""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import jinja2
from markupsafe import Markup
from typing_extensions import TypedDict

from rostra.clock import wire_time
from rostra.rehearsal.model import Outcome, RehearsedItemJson, Step
from rostra.rehearsal.tables import Rehearsal
from rostra.wire import Guid, Time, one_of

Item = Mapping[str, Any]

# What is worst comes first, then what is used most.
WORST_FIRST = (Outcome.impossible, Outcome.needs_work, Outcome.new_pins, Outcome.safe)
COLUMNS = (
    *("guid", "name", "title", "kind", "outcome", "depth", "decided_by", "reason", "where", "action", "from", "to"),
    *("owner", "email", "visits_30d", "deployed_at", "started_at", "url", "changed", "edits", "broken_today"),
)
TITLES = {
    Outcome.safe: ("Safe", "Same packages; starts and answers as today."),
    Outcome.new_pins: ("Needs newer packages", "Works, but only with other versions than today."),
    Outcome.needs_work: ("Needs work", "Installs, but does not start, answer or compile as it is."),
    Outcome.impossible: ("Impossible", "Cannot be installed on the new Python at all."),
}


def ordered(items: Sequence[Item]) -> list[Item]:
    """Return the items worst first, among equals the most visited first."""
    return sorted(
        items,
        key=lambda each: (WORST_FIRST.index(each["outcome"]), -(each["use"].get("visits_30d") or 0), each["title"]),
    )


OutcomeCounts = TypedDict("OutcomeCounts", {"safe": int, "new-pins": int, "needs-work": int, "impossible": int})


class RehearsalShape(TypedDict):
    """``note`` says why it failed; ``waiting`` is how many items have not been judged yet."""

    id: str
    retire: list[str]
    onto: str
    steps: list[Annotated[str, one_of(Step)]]
    state: Annotated[str, one_of(("waiting", "running", "done", "cancelled", "failed"))]
    note: str
    task_id: str | None
    created_at: Time
    finished_at: Time | None
    summary: OutcomeCounts
    waiting: int


class RehearsalReport(RehearsalShape):
    """``still`` are the items that run now on what is to be retired."""

    items: list[RehearsedItemJson]
    still: list[Guid]


def head(rehearsal: Rehearsal, counted: Mapping[str, int]) -> RehearsalShape:
    """Return the rehearsal itself as JSON, with how many items have which outcome."""
    return {
        "id": rehearsal.id,
        "retire": list(rehearsal.retire),
        "onto": rehearsal.onto,
        "steps": list(rehearsal.steps),
        "state": rehearsal.state,
        "note": rehearsal.note,
        "task_id": rehearsal.task_id,
        "created_at": wire_time(rehearsal.created_at),
        "finished_at": wire_time(rehearsal.finished_at) if rehearsal.finished_at else None,
        "summary": {
            "safe": counted.get(Outcome.safe, 0),
            "new-pins": counted.get(Outcome.new_pins, 0),
            "needs-work": counted.get(Outcome.needs_work, 0),
            "impossible": counted.get(Outcome.impossible, 0),
        },
        "waiting": counted.get("waiting", 0),
    }


def as_csv(items: Sequence[Item]) -> str:
    """Return one line for each item; what a spreadsheet would take for a formula is made text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in ordered(items):
        writer.writerow([_cell(value) for value in _row(each)])
    return out.getvalue()


def _row(each: Item) -> list[Any]:
    flat = {
        **each,
        **each["use"],
        "owner": each["owner"]["username"],
        "email": each["owner"]["email"],
        "changed": "; ".join(f"{one['name']} {one['before']} -> {one['after']}" for one in each["changed"]),
        "edits": "; ".join(f"{before} -> {after}" for before, after in each["edits"]),
    }
    return [flat.get(column) for column in COLUMNS]


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def as_html(told: Mapping[str, Any], items: Sequence[Item], *, server: str, owner: str = "") -> str:
    """Return one self-contained page; with ``owner`` it is written to that person."""
    groups = [
        {
            "outcome": outcome.value,
            "title": TITLES[outcome][0],
            "means": TITLES[outcome][1],
            "items": [each for each in ordered(items) if each["outcome"] == outcome],
        }
        for outcome in WORST_FIRST
    ]
    counted = {outcome.value: sum(each["outcome"] == outcome for each in items) for outcome in Outcome}
    return _template().render(
        told=told,
        groups=[group for group in groups if group["items"]],
        counts=[(outcome.value, TITLES[outcome][0], counted[outcome.value]) for outcome in Outcome],
        total=len(items),
        server=server,
        owner=owner,
        owners=[] if owner else _owners(items),
        script=Markup(_script()),  # noqa: S704 - a file of this package
    )


def _owners(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return what each owner has, those with most to do first; nothing when there is one."""
    found: dict[str, dict[str, Any]] = {}
    for each in items:
        who = each["owner"]
        none = {"name": who["name"], "email": who["email"], "counts": dict.fromkeys(Outcome, 0), "visits": 0}
        mine = found.setdefault(who["username"], none)
        mine["counts"][each["outcome"]] += 1
        mine["visits"] += each["use"]["visits_30d"] or 0
    if len(found) < 2:
        return []
    order = [found[name] for name in sorted(found)]
    return sorted(order, key=lambda one: [-one["counts"][outcome] for outcome in WORST_FIRST])


def content_security_policy() -> str:
    """Return what a page from here may do: its own style and its own script, and nothing that it names."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def by_owner(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Return each owner's items that somebody has to look at, by user name; owners of safe ones alone are left out."""
    found: dict[str, list[Item]] = {}
    for each in items:
        found.setdefault(each["owner"]["username"], []).append(each)
    return {name: own for name, own in sorted(found.items()) if any(each["outcome"] != Outcome.safe for each in own)}


def write_letters(told: Mapping[str, Any], items: Sequence[Item], folder: Path, *, server: str) -> list[Path]:
    """Write one page for each owner who has something to do, and return the files. Nothing is sent."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, own in by_owner(items).items():
        path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name).lstrip('.') or '_'}.html"
        path.write_text(as_html(told, own, server=server, owner=own[0]["owner"]["name"]), encoding="utf-8")
        written.append(path)
    return written


@functools.cache
def _script() -> str:
    return (Path(__file__).parent / "templates" / "report.js").read_text("utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
