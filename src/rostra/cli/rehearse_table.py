"""A rehearsal on the terminal: a bar while it goes on, a table when it has ended."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from rostra.cli.table import plain, width
from rostra.rehearsal.model import Outcome, Step
from rostra.rehearsal.report import ordered
from rostra.rehearsal.target import AUTO

WIDE = 120  # columns from which a table can be read
_COLOURS = {
    Outcome.safe: "green",
    Outcome.new_pins: "blue",
    Outcome.needs_work: "yellow",
    Outcome.impossible: "red",
}


class Shown(Protocol):
    def __call__(self, done: int, total: int, last: str) -> None: ...


@contextmanager
def progress() -> Iterator[Shown]:
    """Show a bar on stderr while the block lasts; a line for each item where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Rehearsing", total=None)

        def show(done: int, total: int, last: str) -> None:
            bar.update(task, completed=done, total=total or None, description=last[:48] or "Rehearsing")

        yield show


def _line(done: int, total: int, last: str) -> None:
    if last:
        print(last if last.startswith("[") else f"[{done}/{total}] {last}", file=sys.stderr, flush=True)


def show(told: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    wide = width()
    if wide is None:
        sys.stdout.write(text(told, items))
    else:
        Console(width=wide).print(_table(told, items) if wide >= WIDE else _list(told, items))


def text(told: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as plain text, 160 characters wide."""
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(_table(told, items))
    return out.getvalue()


def _table(told: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Group | Text:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("outcome", no_wrap=True)
    table.add_column("content", max_width=32)
    table.add_column("owner", no_wrap=True)
    table.add_column("python", no_wrap=True)
    table.add_column("visits", justify="right")
    table.add_column("reason, and what to do", ratio=1)
    for each in ordered(items):
        table.add_row(*_cells(each))
    return Group(table, Text(), _summary(told)) if items else _summary(told)


def _list(told: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Group:
    """Return the same below each other, for a terminal in which a table would have columns of one word."""
    lines: list[Text | Padding] = []
    for each in ordered(items):
        outcome, _, owner, python, visits, why = _cells(each)
        head = Text.assemble(outcome, "  ", (plain(each["title"]), "bold"))
        facts = f"  {owner}, {python}, {visits} {'visit' if visits == '1' else 'visits'} in 30 days"
        lines.append(head + Text(facts, style="dim"))
        if each["outcome"] != Outcome.safe or not _started(told):
            lines.append(Padding(why, (0, 0, 1, 4)))
    return Group(*lines, Text(), _summary(told)) if items else Group(_summary(told))


def _summary(told: Mapping[str, Any]) -> Text:
    counts = Text(", ").join(
        Text(f"{told['summary'][outcome.value]} {outcome.value}", style=_COLOURS[outcome]) for outcome in Outcome
    )
    head = Text(f"Retiring Python {', '.join(told['retire'])}: ") + counts
    if told["state"] != "done":
        head += Text(f"  ({told['state']}, {told['waiting']} not judged)", style="bold")
    return head


def next_step(told: Mapping[str, Any], items: Sequence[Mapping[str, Any]], where: str = "") -> str:
    """Return what an administrator most likely does now: each command, and under it what it does.

    ``where`` is what names the server or its configuration, as it was given: ``--server https://...``.
    """
    version, where = shlex.quote(told["retire"][0]), f" {where}" if where else ""
    steps = []
    if items and not _started(told):
        retired = shlex.quote(",".join(told["retire"]))  # <3.10 would be read from a file
        onto = "" if told["onto"] == AUTO else f" --onto {shlex.quote(told['onto'])}"
        again = f"rostra runtimes rehearse --retire {retired}{onto}{where}"
        steps += [again, "    starts them too; nothing was started yet"]
        if "--server" not in where:
            steps.append("    (while the server runs, add --server URL)")
    elif any(each["outcome"] == Outcome.safe for each in items):
        moving = f"rostra runtimes retire {version} --rebuild-safe{where}"
        steps += [moving, "    moves what is safe, one proven deploy each"]
    if any(each["outcome"] != Outcome.safe for each in items):
        steps += [f"rostra runtimes rehearse --resume {told['id']} --notify{where}", "    mails owners their own part"]
    if not items:
        steps += [f"rostra runtimes retire {version}{where}", "    says what to write into the configuration"]
    return "\n".join(["Next:", *(f"  {step}" for step in steps)])


def _started(told: Mapping[str, Any]) -> bool:
    """Whether items were started: without that, safe only means that nothing speaks against it so far."""
    return Step.start.value in told["steps"]


def _cells(each: Mapping[str, Any]) -> tuple[Text | str, ...]:
    outcome = Outcome(each["outcome"])
    why = Text(_plain_lines(each["reason"]))
    if each["where"] and each["where"] not in each["reason"]:
        why += Text(f" [{plain(each['where'])}]")
    if outcome is not Outcome.safe:
        why += Text(f"\n{_plain_lines(each['action'])}", style="dim")
    return (
        Text(outcome.value, style=_COLOURS[outcome]),
        Text(plain(each["title"])),
        Text(each["owner"]["username"]),
        f"{each['from']} → {each['to'] or '-'}",
        str(each["use"].get("visits_30d") or 0),
        why,
    )


def _plain_lines(words: str) -> str:
    return "\n".join(map(plain, words.splitlines()))
