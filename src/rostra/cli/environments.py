"""`rostra environments list|rebuild|reap`: what is installed for content, made ahead of time, and removed.

`list` works without a server. The others are tasks of the running server; `reap` does without one when none runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rostra.cli.main import ConfigFile
from rostra.errors import Invalid

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncSession

    from rostra.config.load import Loaded
    from rostra.environments.cleanup import Standing

app = typer.Typer(no_args_is_help=True)


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


class BadAge(Invalid):
    code = "bad-age"

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Write for example --unused-for 30d; 2h is the least.")


class BadVersion(Invalid):
    code = "bad-version"

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Write for example --python 3.9 or --python '<3.10'.")


@app.command(name="list")
def list_(
    form: Annotated[Format, typer.Option("--format", help="How it is printed.")] = Format.table,
    config: ConfigFile = None,
) -> None:
    """Show every environment: its Python, size, what uses it, its last use, and whether anything still needs it."""
    from rostra.cli.serve import loaded
    from rostra.content import audit_environments

    ready = loaded(config)
    data_dir = ready.settings.server.data_dir
    rows = asyncio.run(_standings(ready))
    told = [audit_environments.to_json(row, data_dir) for row in rows]
    if form is Format.json:
        print(json.dumps(told, indent=2))
    elif form is Format.csv:
        sys.stdout.write(audit_environments.to_csv(told))
    else:
        _show(rows)


@app.command()
def rebuild(
    python: Annotated[str, typer.Option("--python", metavar="V|RANGE", help="Content on this: 3.9, <3.10.")] = "",
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=8, help="How many at the same time.")] = 1,
    config: ConfigFile = None,
) -> None:
    """Make the environments that live content misses, so that no visitor has to wait for them.

    The server does it and goes on with it after a restart; ending this command ends only the display.
    """
    from rostra.app.environment_work import REBUILD, enqueue_rebuild
    from rostra.cli.following import follow
    from rostra.cli.serve import loaded
    from rostra.config.values import version_range

    try:
        _ = version_range(python) if python else None
    except ValueError as why:
        raise BadVersion(str(why)) from None

    async def enqueue(session: AsyncSession, now: dt.datetime) -> str:
        return await enqueue_rebuild(session, python, parallel, now)

    raise typer.Exit(asyncio.run(follow(loaded(config), REBUILD, enqueue)))


@app.command()
def reap(
    unused_for: Annotated[
        str, typer.Option("--unused-for", metavar="30d", help="Instead of PythonEnvironmentReapingAge.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: ConfigFile = None,
) -> None:
    """Remove environments that nothing needs and nobody used for a while."""
    from rostra.app.environment_work import REAP, enqueue_reap
    from rostra.cli.following import follow, served
    from rostra.cli.serve import loaded

    ready = loaded(config)
    age = _age(unused_for, ready)

    async def enqueue(session: AsyncSession, now: dt.datetime) -> str:
        return await enqueue_reap(session, age, now, dry_run=dry_run)

    if served(ready):
        raise typer.Exit(asyncio.run(follow(ready, REAP, enqueue, joining=False)))
    asyncio.run(_reap_here(ready, age, dry_run))


def _age(text: str, ready: Loaded) -> dt.timedelta:
    from rostra.environments.cleanup import LEAST_UNUSED
    from rostra.units import duration

    try:
        age = duration(text) if text else ready.settings.applications.python_environment_reaping_age
    except (ValueError, OverflowError) as why:
        raise BadAge(str(why)) from None
    if age < LEAST_UNUSED:
        raise BadAge(f"{text} is too short: something may just be starting")
    return age


async def _reap_here(ready: Loaded, age: dt.timedelta, dry_run: bool) -> None:
    """Remove them in this process, with no server running: it is kept from starting meanwhile."""
    from rostra.app.environment_work import reap as remove
    from rostra.app.ledger import Ledger
    from rostra.clock import SystemClock
    from rostra.db.engine import open_engine, session_factory
    from rostra.environments.inventory import Sort
    from rostra.environments.shell import PlainShell
    from rostra.environments.site import Tools
    from rostra.environments.store import Store
    from rostra.jobs.node import only_one

    data_dir = ready.settings.server.data_dir
    tools = Tools(shell=PlainShell(), data_dir=data_dir)
    stores = {Sort.environment: Store(tools), Sort.overlay: Store(tools, folder=data_dir / "overlays")}
    runtimes = await _runtimes(ready)
    (data_dir / "run").mkdir(parents=True, exist_ok=True)
    async with only_one(data_dir / "run" / "control.lock", wait_seconds=0):
        await _check_database(ready)
        engine = open_engine(ready.settings)
        try:
            ledger = Ledger(session_factory(engine), data_dir, SystemClock())
            rows = await ledger.unneeded(runtimes, {}, age)
            await remove(rows, stores, ledger, age, print, dry_run=dry_run)
        finally:
            await engine.dispose()


async def _check_database(ready: Loaded) -> None:
    """Raises: NoDatabase, DatabaseBehind."""
    from rostra.cli.reading import reading

    async def nothing(_: AsyncSession) -> None:
        return None

    await reading(ready.settings, nothing)


async def _standings(ready: Loaded) -> list[Standing]:
    from rostra.cli.following import served
    from rostra.cli.reading import DatabaseBehind, NoDatabase, reading
    from rostra.content import audit_environments
    from rostra.db.errors import DatabaseUnavailable
    from rostra.environments.cleanup import Known, standings
    from rostra.environments.inventory import scan

    found = await asyncio.to_thread(scan, ready.settings.server.data_dir)
    runtimes = await _runtimes(ready)

    async def work(session: AsyncSession) -> Known:
        running = await audit_environments.running(session) if served(ready) else {}
        return await audit_environments.known(session, runtimes, running)

    try:
        facts = await reading(ready.settings, work)
    except (NoDatabase, DatabaseBehind, DatabaseUnavailable) as why:
        print(f"note: {why.message}; what uses an environment is not known", file=sys.stderr)
        facts = Known(interpreters={each.identity for each in runtimes}, items=None, used_at={}, running={})
    return await asyncio.to_thread(audit_environments.weighed, standings(found, facts))


async def _runtimes(ready: Loaded) -> Any:
    from rostra.runtimes.catalog import inspect

    kept = ready.settings.server.data_dir / "cache" / "interpreters.json"
    return (await inspect(ready.settings.python, memory=kept if kept.exists() else None)).runtimes


def _show(rows: list[Standing]) -> None:
    from rostra.cli.table import Column, show
    from rostra.units import counted, human_size

    columns = (
        *(Column(name, head=True) for name in ("Python", "key", "state")),
        *(Column(name, number=True) for name in ("own", "shared")),
        Column("last use"),
        Column("items", least=24),
    )
    if rows:
        show(columns, [_cells(row) for row in rows])
        print()
    total = sum(row.weight.own for row in rows if row.weight)
    print(f"{counted(len(rows), 'environment')}, {human_size(total)} of their own")


def _cells(row: Standing) -> tuple[str, ...]:
    from rostra.environments.inventory import Sort
    from rostra.units import human_size

    sizes = (human_size(row.weight.own), human_size(row.weight.shared)) if row.weight else ("", "")
    used = f"{row.used_at:%Y-%m-%d}" if row.used_at else "not known"
    items = ", ".join(item.title if item.live else f"({item.title})" for item in row.items)
    key = row.found.key if row.found.sort is Sort.environment else f"{row.found.key} (overlay)"
    return (row.found.python, key, row.state.value, *sizes, used, items or "-")
