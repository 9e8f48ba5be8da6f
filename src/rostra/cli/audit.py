"""`rostra runtimes audit`: what depends on each Python, from the records themselves; works with the server stopped.

What it needs is imported when it runs: the other commands of its group answer in a moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rostra.cli.main import ConfigFile
from rostra.errors import Invalid

if TYPE_CHECKING:
    import datetime as dt

    from rostra.config.load import Loaded
    from rostra.content.audit import Audit, ItemRow, VersionRow, Wanted


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


class BadOption(Invalid):
    code = "bad-option"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}", hint="See: rostra runtimes audit --help.")


def audit_runtimes(  # noqa: PLR0917 - each is an option of the command line
    form: Annotated[Format, typer.Option("--format", help="How it is printed; csv has one line for each item.")] = (
        Format.table
    ),
    python: Annotated[str, typer.Option("--python", metavar="V|RANGE", help="Only these: 3.8, 3.9.7, <3.10.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="NAME", help="Only this kind, for example python-dash.")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="NAME|MAIL", help="Only this person's content.")] = "",
    unused_for: Annotated[str, typer.Option("--unused-for", metavar="30d", help="Only what nobody visited.")] = "",
    config: ConfigFile = None,
) -> None:
    """Say, for each Python, what depends on it, whose it is, how much it is used and when that Python ends."""
    from rostra.cli.serve import loaded
    from rostra.content import audit_report

    ready = loaded(config)
    found = asyncio.run(_audit(ready, _wanted(python, kind, owner, unused_for)))
    address = _address(ready)
    if form is Format.json:
        print(json.dumps(audit_report.to_json(found, address), indent=2))
    elif form is Format.csv:
        sys.stdout.write(audit_report.to_csv([audit_report.item_json(row, address) for row in found.items]))
    else:
        _show(found)


def _show(found: Audit) -> None:
    """Print two tables: the versions, then the items."""
    from rostra.cli.table import Column, show

    numbers = ("items", "processes", "30 days", "90 days", "environments", "packages")
    show(
        [
            Column("Python", head=True),
            Column("state", head=True),
            Column("end of life"),
            *(Column(name, number=True) for name in numbers),
        ],
        [_version_cells(row) for row in found.versions],
    )
    print()
    if not found.items:
        print("There is no such content.")
        return
    show(
        [
            Column("Python", head=True),
            Column("title", head=True, least=20),
            *(Column(name, least=12) for name in ("kind", "owner", "asked for")),
            Column("why", least=24),
            *(Column(name) for name in ("deployed", "visited")),
            Column("30 days", number=True),
            Column("schedule", least=16),
        ],
        [_item_cells(row) for row in found.items],
    )


def _version_cells(row: VersionRow) -> tuple[str, ...]:
    state = f"{row.state}, {row.turn.state.value} from {row.turn.day}" if row.turn else row.state
    ends = "not known" if row.ends is None else f"{row.ends}{' (over)' if row.over else ''}"
    numbers = (row.items, row.processes, row.visits_30, row.visits_90, row.kept.environments, row.kept.packages)
    return (row.version, state, ends, *map(str, numbers))


def _item_cells(row: ItemRow) -> tuple[str, ...]:
    from rostra.kinds.registry import by_name

    asked = " ".join(part for part in (row.requested_version, row.requested_range) if part) or "any"
    contact = f"{row.owner} <{row.contact}>" if row.contact else row.owner
    version = f"{row.version} (gone)" if row.lost else row.version
    days = (_day(row.deployed_at), _day(row.visited_at) or "never")
    return (
        version,
        row.title,
        by_name(row.kind).title,
        contact,
        asked,
        row.reason,
        *days,
        str(row.visits_30),
        row.schedule,
    )


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _wanted(python: str, kind: str, owner: str, unused_for: str) -> Wanted:
    from rostra.config.values import version_range
    from rostra.content.audit import Wanted
    from rostra.units import duration

    try:
        versions = version_range(python) if python else None
    except ValueError as why:
        raise BadOption("--python", str(why)) from None
    try:
        age = duration(unused_for) if unused_for else None
    except (ValueError, OverflowError) as why:
        raise BadOption("--unused-for", str(why)) from None
    return Wanted(versions=versions, kind=kind, owner=owner, unused_for=age)


async def _audit(ready: Loaded, wanted: Wanted) -> Audit:
    from sqlalchemy.ext.asyncio import AsyncSession

    from rostra.cli.reading import reading
    from rostra.clock import SystemClock
    from rostra.content.audit import Server, audit, running_processes
    from rostra.rendering import schedules
    from rostra.runtimes import eol
    from rostra.runtimes.catalog import inspect
    from rostra.runtimes.eol_refresh import refresh

    settings = ready.settings
    kept = settings.server.data_dir / "cache" / eol.FILE
    if trouble := await asyncio.to_thread(refresh, settings.python.end_of_life_url, kept):
        print(f"note: {trouble}", file=sys.stderr)
    catalog = await inspect(settings.python, memory=_memory(settings.server.data_dir), environ=os.environ)

    async def work(session: AsyncSession) -> Audit:
        server = Server(
            runtimes=catalog.runtimes,
            policy=catalog.policy,
            rules=catalog.rules,
            running=await running_processes(session) if _serves(settings.server.data_dir) else {},
            scheduled=await schedules.by_item(session),
            ends=eol.table_with(kept),
        )
        return await audit(session, server, wanted, SystemClock().now())

    return await reading(settings, work)


def _memory(data_dir: Path) -> Path | None:
    """Return what the server remembers of its interpreters, when it has something to remember."""
    kept = data_dir / "cache" / "interpreters.json"
    return kept if kept.exists() and os.access(kept.parent, os.W_OK) else None


def _serves(data_dir: Path) -> bool:
    """Return whether a server works on this data folder: else what its records call running is not."""
    from rostra.jobs.node import held

    return held(data_dir / "run" / "control.lock")


def _address(ready: Loaded) -> Callable[[str], str]:
    settings = ready.settings
    base = settings.server.address.rstrip("/") or f"http://{settings.http.listen}"
    dashboard = "/" + settings.server.dashboard_path.strip("/")
    return lambda guid: f"{base}{dashboard}/#/apps/{guid}"
