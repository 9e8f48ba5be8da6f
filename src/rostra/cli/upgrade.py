"""`rostra upgrade check`: what this release would refuse or change, before it is started; changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os

import typer

from rostra.cli.main import AsJson, ConfigFile

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look before an upgrade."""


@app.command()
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Read the present configuration and records by this release's rules; exit status 1 when something would break."""
    from rostra.app.upgrade_check import Weight, lines
    from rostra.app.upgrade_check import check as look

    found = asyncio.run(look(config, os.environ))
    broken = any(each.weight is Weight.breaks for each in found)
    if as_json:
        told = [dataclasses.asdict(each) for each in found]
        print(json.dumps({"ok": not broken, "findings": told}, indent=2))
    else:
        print("\n".join(lines(found) or ["nothing would be refused or changed"]))
    raise typer.Exit(int(broken))
