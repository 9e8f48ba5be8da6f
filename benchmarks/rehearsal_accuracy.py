"""Measures how often each depth of a rehearsal is right: ``python -m benchmarks.rehearsal_accuracy [--write]``.

Publishes the corpus (``tests/rehearsal/corpus``) to a server of its own, stops it, rehearses at four depths in its data
folder, and compares with what was found by really doing it (``truth.json``, made by `benchmarks.rehearsal_truth`).
``--write`` puts the tables into docs/explanation/rehearsal.md between its two marks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from rehearsal.corpus import ITEMS, Item, code, dashboards, documents, truth  # noqa: E402
from support import interpreters  # noqa: E402
from support.rehearsals import opened, publish, rehearsed  # noqa: E402
from support.server import running_server  # noqa: E402

from rostra.rehearsal.model import LADDER, Step  # noqa: E402

PAGE = ROOT / "docs/explanation/rehearsal.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
OWN_CODE = {each.name for each in (*code.ITEMS, *documents.ITEMS, *dashboards.ITEMS)} - {"own-range", "broken-today"}
DEPTHS = {
    "resolve": (Step.match, Step.resolve),
    "static": (Step.match, Step.static),
    "start": (Step.match, Step.resolve, Step.build, Step.start),
    "all": LADDER,
}
Results = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Question:
    """What a depth is asked, what it says, and what is true."""

    depth: str
    text: str
    said: Callable[[dict[str, Any]], bool]
    true: Callable[[str, dict[str, Any]], bool]
    asked: Callable[[str], bool] = lambda _: True


QUESTIONS = (
    Question(
        "resolve",
        "today's packages do not install",
        lambda result: result["outcome"] in ("new-pins", "impossible"),
        lambda _, told: not told["installs"],
        lambda name: name != "own-range",
    ),
    Question(
        "static",
        "its own code breaks",
        lambda result: result["outcome"] == "needs-work",
        lambda name, told: told["outcome"] == "needs-work" and name in OWN_CODE,
        lambda name: name not in ("own-range", "broken-today"),
    ),
    Question("start", "it is not safe", lambda r: r["outcome"] != "safe", lambda _, told: told["outcome"] != "safe"),
    Question("all", "it is not safe", lambda r: r["outcome"] != "safe", lambda _, told: told["outcome"] != "safe"),
)


async def measure(config: Path, published: dict[str, Item]) -> Results:
    """Return {depth: {name: result}}."""
    found: Results = {depth: {} for depth in DEPTHS}
    async with opened(config) as bench:
        for depth, steps in DEPTHS.items():
            for onto in sorted({item.onto for item in published.values()}):
                guids = [guid for guid, item in published.items() if item.onto == onto]
                for result in await rehearsed(bench, guids, onto, steps):
                    found[depth][published[result["guid"]].name] = result
            print(f"{depth}: {len(found[depth])} items", file=sys.stderr, flush=True)
    return found


def page(found: Results) -> str:
    """Return the tables."""
    told = truth()
    lines = ["| depth | question | precision | recall | right / said / true | of |", "|---|---|---|---|---|---|"]
    missed: list[str] = []
    for question in QUESTIONS:
        names = [name for name in found[question.depth] if question.asked(name)]
        said = {name for name in names if question.said(found[question.depth][name])}
        true = {name for name in names if question.true(name, told[name])}
        right = len(said & true)
        precision = f"{right / len(said):.0%}" if said else "-"
        recall = f"{right / len(true):.0%}" if true else "-"
        counts = f"{right} / {len(said)} / {len(true)}"
        lines.append(f"| {question.depth} | {question.text} | {precision} | {recall} | {counts} | {len(names)} |")
        missed += [f"| {question.depth} | {name} | said, but not so |" for name in sorted(said - true)]
        missed += [f"| {question.depth} | {name} | so, but not said |" for name in sorted(true - said)]
    lines += ["", *_outcomes(found["all"], told), "", "Wrong answers:", "", "| depth | item | what |", "|---|---|---|"]
    return "\n".join([*lines, *missed]) + "\n"


def _outcomes(found: dict[str, dict[str, Any]], told: dict[str, dict[str, Any]]) -> list[str]:
    words = ("safe", "new-pins", "needs-work", "impossible")
    lines = [
        "All steps, all four outcomes (rows: what is true):",
        "",
        "| | " + " | ".join(words) + " |",
        "|---" * 5 + "|",
    ]
    for true in words:
        counts = [sum(told[n]["outcome"] == true and r["outcome"] == said for n, r in found.items()) for said in words]
        lines.append(f"| **{true}** | " + " | ".join(map(str, counts)) + " |")
    exact = sum(told[name]["outcome"] == result["outcome"] for name, result in found.items())
    lines += ["", f"{exact} of {len(found)} items ({exact / len(found):.0%}) get exactly the outcome that is true."]
    return lines


def run(items: Sequence[Item]) -> Results:
    """Publish and rehearse."""
    minors = sorted({each for item in items for each in (item.on, item.onto)}, key=lambda text: int(text[2:]))
    pythons = [path for minor in minors if (path := interpreters.minor(minor))]
    with tempfile.TemporaryDirectory(prefix="ra-") as place:
        with running_server(Path(place), pythons) as server:
            published = {}
            for item in items:
                published[publish(server, item)] = item
                print(f"published {item.name}", file=sys.stderr, flush=True)
            config = server.config
        return asyncio.run(measure(config, published))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these items")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    options = parser.parse_args()
    found = run([item for item in ITEMS if not options.names or item.name in options.names])
    tables = page(found)
    print(tables)
    for name, result in found["all"].items():
        if truth()[name]["outcome"] != result["outcome"]:
            print(f"{name}: {result['outcome']}, really {truth()[name]['outcome']}: {result['reason']}")
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
