"""`rostra runtimes rehearse` and `rostra runtimes retire`: on a running server, or on its data folder without one.

What they need is imported when they run: the other commands of this group answer in a moment.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rostra.cli.main import ConfigFile
from rostra.errors import Invalid
from rostra.rehearsal.model import Outcome, Step, up_to
from rostra.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rostra.cli.rehearse_sources import Report, Source
    from rostra.rehearsal.notify import NotifiedOwnersJson
    from rostra.rehearsal.records import Wanted

ServerUrl = Annotated[str, typer.Option("--server", help="A running server (or CONNECT_SERVER); else the data folder.")]
ApiKey = Annotated[str, typer.Option("--api-key", help="An administrator's key for it (or CONNECT_API_KEY).")]
FORMATS = ("table", "json", "csv", "html")


class UnknownFormat(Invalid):
    code = "unknown-format"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no format {name[:40]!r}", hint=f"Write one of {', '.join(FORMATS)}.")


class NothingToWrite(Invalid):
    """There is no configuration file, so nothing can be written into it."""

    code = "nothing-to-write"

    def __init__(self) -> None:
        super().__init__("there is no configuration file to write to", hint="Name it: --config /path/rostra.gcfg.")


def rehearse(  # noqa: PLR0917 - each is an option of the command line
    retire_: Annotated[list[str] | None, typer.Option("--retire", metavar="V[,V...]", help="To be retired.")] = None,
    onto: Annotated[str, typer.Option("--onto", metavar="V|auto", help="Where to.")] = "auto",
    depth: Annotated[Step, typer.Option("--depth", help="The deepest step.")] = Step.static,
    no_start: Annotated[bool, typer.Option("--no-start", help="Start and render nothing.")] = False,
    no_build: Annotated[bool, typer.Option("--no-build", help="Install nothing (then nothing starts either).")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the environments of what can be moved.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything anew.")] = False,
    resume: Annotated[str, typer.Option("--resume", metavar="ID", help="Go on with one that was stopped.")] = "",
    form: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report there.")] = None,
    notify: Annotated[bool, typer.Option("--notify", help="Mail each owner their own part.")] = False,
    pages: Annotated[Path | None, typer.Option("--pages", metavar="DIR", help="Write one page for each owner.")] = None,
    server: ServerUrl = "",
    api_key: ApiKey = "",
    config: ConfigFile = None,
) -> None:
    """Say what would happen to every item if a Python were retired. Nothing that is live is touched."""
    from rostra.cli.rehearse_sources import source
    from rostra.rehearsal import report

    if form not in FORMATS:
        raise UnknownFormat(form)
    where = source(server, api_key, config)
    if notify:
        where.require_mail()  # before hours of work, not after them
    found = where.rehearse(
        None if resume else _wanted(retire_ or [], onto, depth, no_start, no_build, keep, fresh), resume
    )
    _show(found, form, output, _given(server, config))
    if pages is not None:
        letters = report.write_letters(found.told, found.items, pages, server=found.server)
        print(f"{counted(len(letters), 'page')} for owners: {pages}", file=sys.stderr)
    if notify:
        _say_who_was_told(where.notify(found))


def retire_version(  # noqa: PLR0917
    version: Annotated[str, typer.Argument(help="The version or range, for example 3.8.")],
    anyway: Annotated[bool, typer.Option("--anyway", help="Whatever the rehearsal says.")] = False,
    rebuild_safe: Annotated[bool, typer.Option("--rebuild-safe", help="First move the items that are safe.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the line into the configuration file.")] = False,
    server: ServerUrl = "",
    api_key: ApiKey = "",
    config: ConfigFile = None,
) -> None:
    """Say how to retire a Python; refuse while the last rehearsal shows that something would break."""
    from rostra.cli.rehearse_sources import source
    from rostra.durable import rewrite
    from rostra.rehearsal import retire
    from rostra.rehearsal.target import AUTO, wish

    wish([version], AUTO)
    where = source(server, api_key, config)
    last = where.last(version)
    if rebuild_safe:
        last = _moved(where, version, last)
    if not anyway:
        told = last.told if last else None
        retire.check(version, told, last.items if last else [], where.still(version))
    if not write:
        print(f"Write this line into the section [Python] of the configuration file:\n\n    {retire.line(version)}\n")
        print("Then: rostra reload")
        return
    if config is None:
        raise NothingToWrite
    text = config.read_text(encoding="utf-8")
    rewrite(config, retire.written(text, version))
    print(f"{config} now says {retire.line(version)}; next: rostra reload")


def _say_who_was_told(told: NotifiedOwnersJson) -> None:
    def said(names: Sequence[str]) -> str:
        return f"{len(names)} ({', '.join(names)})" if names else "0"

    print(f"Owners who are mailed their own part: {said(told['mailed'])}", file=sys.stderr)
    if told["before"]:
        print(f"Told of this rehearsal before, and not again: {said(told['before'])}", file=sys.stderr)
    if told["unreachable"]:
        print(f"Without an address, or locked: {said(told['unreachable'])}; --pages DIR writes theirs", file=sys.stderr)


def _moved(where: Source, version: str, last: Report | None) -> Report | None:
    from rostra.rehearsal import retire

    if last is None:
        raise retire.NotRehearsed(version, "it has not been rehearsed")
    safe = sum(each["outcome"] == Outcome.safe and each["guid"] in last.still for each in last.items)
    print(f"Moving {counted(safe, 'safe item')}, one deploy each", file=sys.stderr)
    for title, problem in where.move_safe(last):
        print(f"{title}: {problem or 'moved'}", file=sys.stderr)
    return where.last(version)


def _wanted(  # noqa: PLR0917
    words: list[str], onto: str, depth: Step, no_start: bool, no_build: bool, keep: bool, fresh: bool
) -> Wanted:
    from rostra.rehearsal.records import Wanted
    from rostra.rehearsal.target import wish

    left_out = {Step.start} if no_start or no_build else set()
    left_out |= {Step.build} if no_build else set()
    steps = tuple(step for step in up_to(depth) if step not in left_out)
    return Wanted(wish=wish(words, onto), steps=steps, keep=keep, fresh=fresh)


def _given(server: str, config: Path | None) -> str:
    """Return the words that named the server, for commands that are to be copied; a key is nobody's to see."""
    return f"--server {shlex.quote(server)}" if server else f"--config {shlex.quote(str(config))}" if config else ""


def _show(found: Report, form: str, output: Path | None, where: str) -> None:
    from rostra.cli import rehearse_table as table

    if form == "table" and output is None:
        table.show(found.told, found.items)
        if found.told["state"] == "done":
            print(f"\n{table.next_step(found.told, found.items, where)}", file=sys.stderr)
        return
    text = _written(found, form)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        print(f"The report is in {output}", file=sys.stderr)


def _written(found: Report, form: str) -> str:
    from rostra.cli import rehearse_table as table
    from rostra.rehearsal import report

    if form == "csv":
        return report.as_csv(found.items)
    if form == "html":
        return report.as_html(found.told, found.items, server=found.server)
    if form == "table":
        return table.text(found.told, found.items)
    told: dict[str, Any] = {**found.told, "items": report.ordered(found.items)}
    return json.dumps(told, indent=2) + "\n"
