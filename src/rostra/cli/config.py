"""`rostra config check|show|explain`: what the configuration says, without starting anything."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Annotated, Any

import typer

from rostra.cli.main import AsJson, ConfigFile
from rostra.cli.table import UNBOUNDED, width, wrapped
from rostra.config.errors import ConfigProblems
from rostra.config.explain import explanation, listing
from rostra.config.load import Loaded, load

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Say everything that is wrong, interpreters included; exit status 1 when something is."""
    try:
        loaded = load(config, os.environ)
        _check_interpreters(loaded)
    except ConfigProblems as wrong:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "problems": wrong.problems, "notes": []}, indent=2))
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps({"ok": True, "problems": [], "notes": loaded.notes}, indent=2))
        return
    _print_notes(loaded)
    print(f"{config or 'evaluation server'}: no mistakes")


@app.command()
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print every setting in force and where it came from; secrets stay hidden."""
    loaded = load(config, os.environ)
    rows = listing(loaded)
    if as_json:
        print(json.dumps({"settings": rows, "notes": loaded.notes}, indent=2))
        return
    _print_notes(loaded)
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        for value, origin in _with_origins(row):
            print(f"{row['name']!s:<{width}} = {value}" + (f"  ; {origin}" if origin else ""))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="SECTION.NAME", help="For example Python.Executable.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what a setting means, takes and is set to, and where that came from."""
    facts = explanation(load(config, os.environ), name)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    wide = width()
    print(facts.pop("name"))
    for line in wrapped(str(facts.pop("help")), (wide or UNBOUNDED) - 2):
        print(f"  {line}")
    print()
    for word, value in facts.items():
        lines = [line for each in _lines(value) for line in wrapped(each or "-", (wide or UNBOUNDED) - 16)]
        for first, line in zip([word, *[""] * len(lines)], lines, strict=False):
            print(f"  {first:<14}{line}")


def _check_interpreters(loaded: Loaded) -> None:
    """Raises: ConfigProblems."""
    from rostra.runtimes.catalog import inspect
    from rostra.runtimes.r_catalog import open_beside

    async def look() -> list[str]:
        settings, sources = loaded.settings, loaded.sources
        catalog = await inspect(settings.python, memory=None, sources=sources)
        beside = await open_beside(settings.r, settings.quarto, memory=None, sources=sources)
        complaints = [*(row.complaint for row in catalog.rows), *(row.complaint for row in beside.rows)]
        return [each for each in complaints if each]

    if problems := asyncio.run(look()):
        raise ConfigProblems(
            problems, hint="Correct it or remove the line; `rostra runtimes list` looks at all of them."
        )


def _lines(value: object) -> list[str]:
    """Return the texts of a value; an empty list still has one line to show."""
    if isinstance(value, list):
        return [str(each) for each in value] or [""]
    return [str(value)]


def _with_origins(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each value with the place it alone came from, or with the source of all where places do not tell."""
    shown = _lines(row["value"])
    if len(row["places"]) == len(shown):
        return list(zip(shown, row["places"], strict=True))
    return [(value, "" if row["default"] else row["source"]) for value in shown]


def _print_notes(loaded: Loaded) -> None:
    for note in loaded.notes:
        typer.echo(f"note: {note}", err=True)
