"""Start a Rostra in this checkout and publish the samples to it with the unmodified publishing client.

``--once`` ends after the samples were opened, for tests; otherwise the server runs until Ctrl-C.
Everything is kept in ``.demo/``, and what has not changed is not published again; remove the folder to begin again.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

from demo_samples import Desk, Outcome, Sample
from demo_server import Demo, DemoFailed, running
from rich.console import Console

ROOT = Path(__file__).parent.parent
INTERRUPTED = 130


def main() -> int:
    options, console = arguments(), Console(highlight=False, soft_wrap=True)
    folder = options.folder.resolve()
    try:
        samples = chosen(options.samples)
        with running(folder, options.port, console.print) as demo:
            outcomes = show(demo, samples, console)
            if options.once:
                return 0 if all(outcome.good for outcome in outcomes) else 1
            console.print("\nPress Ctrl-C to stop the server. Everything is kept: the next start takes a moment.")
            demo.wait()
    except KeyboardInterrupt:
        console.print(f"\nStopped. What was published is kept in {folder}.")
        return INTERRUPTED if options.once else 0
    except DemoFailed as failed:
        console.print(f"\n{failed}", markup=False)
        return 1
    return 1  # the server ended by itself


def show(demo: Demo, samples: list[Sample], console: Console) -> list[Outcome]:
    """Publish the samples, one line for each, then say where to go."""
    pythons = demo.installed("Python")
    samples = [sample for sample in samples if sample.needs is None or demo.installed(sample.needs)]
    console.print(f"Python here: {', '.join(pythons)}")
    console.print(f"Publishing {len(samples)} samples with rsconnect-python {version('rsconnect-python')}:\n")
    desk, outcomes = Desk(demo, pythons), []
    for number, sample in enumerate(samples):
        with console.status(f"{sample.title} ...") as status:
            outcome = desk.open(sample, number, lambda line, s=sample, bar=status: bar.update(f"{s.title}: {line}"))
        outcomes.append(outcome)
        console.print(str(outcome), markup=False)
    failed = sum(not outcome.good for outcome in outcomes)
    console.print(
        f"\n{len(outcomes) - failed} of {len(outcomes)} samples answer. Anyone on this machine may open them."
    )
    console.print(f"Dashboard: {demo.url}/connect/   Sign in with this link, which works once: {demo.sign_in_link()}")
    return outcomes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo")
    parser.add_argument("--port", type=int, default=3939)
    parser.add_argument("--once", action="store_true", help="end when the samples have been opened")
    parser.add_argument("samples", nargs="*", help="names of folders in samples/; all when none is given")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Sample]:
    """Return the samples in the order of their folders.

    Raises:
        DemoFailed: there is none of that name.
    """
    found = {path.parent.name: path.parent for path in sorted((ROOT / "samples").glob("*/sample.json"))}
    if unknown := sorted(set(names) - set(found)):
        raise DemoFailed(f"There is no sample {', '.join(unknown)}. There are: {', '.join(found)}.")
    told = {name: json.loads((path / "sample.json").read_text()) for name, path in found.items()}
    return [Sample.read(found[name], told[name]) for name in found if not names or name in names]


if __name__ == "__main__":
    sys.exit(main())
