"""`rostra runtimes list|match|audit|rehearse|retire`: the interpreters of this server, and what depends on them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.cli.audit import audit_runtimes
from rostra.cli.main import AsJson, ConfigFile
from rostra.cli.rehearse import rehearse, retire_version
from rostra.cli.table import Column, show
from rostra.config import sections
from rostra.config.load import load
from rostra.errors import Invalid
from rostra.runtimes.catalog import Catalog, inspect, open_catalog, state_of
from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.matching import choose
from rostra.runtimes.model import Match, Policy, Request, Runtime, RuntimeState
from rostra.runtimes.r_catalog import open_beside

app = typer.Typer(no_args_is_help=True)

_COLUMNS = (
    Column("language", head=True),
    Column("version", head=True),
    Column("engine"),
    Column("path"),
    Column("state", head=True, least=20),
)

app.command("rehearse")(rehearse)
app.command("retire")(retire_version)
app.command("audit")(audit_runtimes)


class NotAVersion(Invalid):
    """A word of the command line is neither a version nor a range."""

    code = "not-a-version"

    def __init__(self, text: str, example: str) -> None:
        self.text = text
        super().__init__(f"{text!r} cannot be understood", hint=f"Write for example {example}.")


@app.command(name="list")
def list_(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look at every interpreter and say which can be used, and why not."""
    loaded = load(config, os.environ)
    catalog = asyncio.run(inspect(loaded.settings.python, memory=None, sources=loaded.sources))
    beside = asyncio.run(open_beside(loaded.settings.r, loaded.settings.quarto, memory=None, sources=loaded.sources))
    if as_json:
        told = [{"language": "Python", **row} for row in catalog.to_json()]
        print(json.dumps([*told, *(row.to_json() for row in beside.rows)], indent=2))
        return
    rows = [("Python", *row.cells()) for row in catalog.rows]
    for language, version, path, verdict in (row.cells() for row in beside.rows):
        rows.append((language.rstrip(), version, "-", path, verdict))
    if rows:
        show(_COLUMNS, rows)
    else:
        print(_nothing(catalog, enabled=loaded.settings.python.enabled))


@app.command()
def match(  # noqa: PLR0917 - each is an option of the command line
    version: Annotated[str, typer.Argument(help="The author's version, for example 3.9.6.")] = "",
    requires: Annotated[str, typer.Option("--requires", help="A range, for example '>=3.9,<3.12'.")] = "",
    policy: Annotated[Policy | None, typer.Option("--policy", help="Instead of Python.VersionMatching.")] = None,
    installed: Annotated[
        str | None, typer.Option("--installed", metavar="V,V,...", help="Instead of what is here; may be empty.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which interpreter a version or range gets, and why; exit status 1 when none fits."""
    try:
        request = Request(_version(version) if version else None, _range(requires) if requires else None)
        chosen_policy, runtimes = _offer(installed, policy, config)
        found = choose(request, chosen_policy, runtimes)
    except (NoMatchingPython, NotAVersion) as none:
        if not as_json:
            raise
        print(json.dumps({"version": None, "reason": none.message}))
        print(none.hint, file=sys.stderr)
        raise typer.Exit(1) from None
    named = installed is None
    print(json.dumps(_match_json(found)) if as_json else "\n".join(_match_lines(found, named=named)))


def _offer(installed: str | None, policy: Policy | None, config: Path | None) -> tuple[Policy, Sequence[Runtime]]:
    """Return the policy and what to choose from: the list given, or the interpreters of this machine."""
    if installed is not None:
        settings = load(config, os.environ).settings if config else None
        default = Policy(settings.python.version_matching) if settings else Policy.major_minor
        versions = [_version(word) for word in installed.split(",") if word.strip()]
        python = settings.python if settings else sections.Python()
        return policy or default, [_pretend(each, state_of(each, python)) for each in versions]
    loaded = load(config, os.environ)
    catalog = asyncio.run(open_catalog(loaded.settings.python, memory=None, sources=loaded.sources))
    return policy or catalog.policy, catalog.runtimes


def _pretend(version: Version, state: RuntimeState) -> Runtime:
    path = Path(f"/{version}")
    return Runtime(version=version, executable=path, target=path, state=state)


def _match_json(found: Match) -> dict[str, object]:
    warnings = {"warnings": list(found.warnings)} if found.warnings else {}
    return {"version": str(found.runtime.version), "reason": found.reason, **warnings}


def _match_lines(found: Match, *, named: bool) -> list[str]:
    where = f"  {found.runtime.executable}" if named else ""
    return [f"{found.runtime.version}{where}  {found.reason}", *(f"warning: {text}" for text in found.warnings)]


def _version(text: str) -> Version:
    try:
        return Version(text.strip().removesuffix("+"))  # a Python built from a working copy calls itself 3.13.0+
    except ValueError:
        raise NotAVersion(text, "3.9.6") from None


def _range(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except ValueError:
        raise NotAVersion(text, ">=3.9,<3.12") from None


def _nothing(catalog: Catalog, *, enabled: bool) -> str:
    if not enabled:
        return "Python is not enabled; set [Python] Enabled = true"
    return "no interpreter found" if catalog.discovered else "no interpreter configured"
