"""The audit as JSON and as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from rostra.clock import wire_time
from rostra.content.audit import Audit, ItemRow, VersionRow

Address = Callable[[str], str]
"""Returns the dashboard's address of an item, by its guid."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(found: Audit, address: Address) -> dict[str, Any]:
    """Return ``{"made_at", "versions": [...], "items": [...]}``; times are RFC 3339, None where there is none."""
    return {
        "made_at": wire_time(found.made_at),
        "versions": [version_json(row) for row in found.versions],
        "items": [item_json(row, address) for row in found.items],
    }


def version_json(row: VersionRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "state": row.state,
        "turns": {"day": str(row.turn.day), "state": row.turn.state.value} if row.turn else None,
        "executables": list(row.executables),
        "end_of_life": str(row.ends) if row.ends else None,
        "past_end_of_life": row.over,
        "items": row.items,
        "processes": row.processes,
        "visits_30_days": row.visits_30,
        "visits_90_days": row.visits_90,
        "environments": row.environments,
    }


def item_json(row: ItemRow, address: Address) -> dict[str, Any]:
    return {
        "version": row.version,
        "guid": row.guid,
        "title": row.title,
        "link": address(row.guid),
        "kind": row.kind,
        "owner": row.owner,
        "owner_name": row.owner_name,
        "contact": row.contact,
        "requested_version": row.requested_version,
        "requested_range": row.requested_range,
        "reason": row.reason,
        "interpreter_gone": row.lost,
        "environment": row.environment,
        "last_deploy": wire_time(row.deployed_at) if row.deployed_at else None,
        "last_visit": wire_time(row.visited_at) if row.visited_at else None,
        "visits_30_days": row.visits_30,
        "visits_90_days": row.visits_90,
        "processes": row.processes,
        "schedule": row.schedule or None,
    }


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return flat objects as CSV with a line of names. What a spreadsheet would take for a formula is quoted with '."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        value = " ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
