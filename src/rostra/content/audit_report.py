"""The audit as JSON and as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from typing_extensions import TypedDict

from rostra.clock import wire_time
from rostra.content.audit import GONE, Audit, ItemRow, VersionRow
from rostra.runtimes.model import RuntimeState
from rostra.wire import Day, Guid, Time, one_of

Address = Callable[[str], str]
"""Returns the dashboard's address of an item, by its guid."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class NextTurn(TypedDict):
    """``state`` begins at 00:00 UTC of ``day``."""

    day: Day
    state: Annotated[str, one_of(RuntimeState)]


class AuditedVersionJson(TypedDict):
    """``state`` is also ``gone``: no interpreter of this server has the version any more.

    ``packages`` is how many different ones are installed in its environments.
    """

    version: str
    state: Annotated[str, one_of((*RuntimeState, GONE))]
    turns: NextTurn | None
    executables: list[str]
    end_of_life: Day | None
    past_end_of_life: bool
    items: int
    processes: int
    visits_30_days: int
    visits_90_days: int
    environments: int
    packages: int


class AuditedItemJson(TypedDict):
    """``schedule`` is in words; ``reason`` says why this version was chosen."""

    version: str
    guid: Guid
    title: str
    link: str
    kind: str
    owner: str
    owner_name: str
    contact: str
    requested_version: str | None
    requested_range: str | None
    reason: str
    interpreter_gone: bool
    environment: str | None
    last_deploy: Time | None
    last_visit: Time | None
    visits_30_days: int
    visits_90_days: int
    processes: int
    schedule: str | None


class RuntimeAuditJson(TypedDict):
    made_at: Time
    versions: list[AuditedVersionJson]
    items: list[AuditedItemJson]


def to_json(found: Audit, address: Address) -> RuntimeAuditJson:
    """Return ``{"made_at", "versions": [...], "items": [...]}``; times are RFC 3339, None where there is none."""
    return {
        "made_at": wire_time(found.made_at),
        "versions": [version_json(row) for row in found.versions],
        "items": [item_json(row, address) for row in found.items],
    }


def version_json(row: VersionRow) -> AuditedVersionJson:
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
        "environments": row.kept.environments,
        "packages": row.kept.packages,
    }


def item_json(row: ItemRow, address: Address) -> AuditedItemJson:
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


COLUMNS = tuple(AuditedItemJson.__annotations__)


def to_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> str:
    """Return flat objects as CSV below a line of names, which is there without any, too.

    What a spreadsheet would take for a formula is quoted with '.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        value = " ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
