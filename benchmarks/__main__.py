"""`python -m benchmarks [NAME...] [--quick] [--json FILE]`: run them, print a table, keep the figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.harness import Row, as_json, modules, table


def main() -> int:
    """Return 0 when every benchmark ran, met or not; 1 when one failed to run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; all without a name")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller inputs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    rows: list[Row] = []
    failed = False
    for module in modules(options.names):
        print(f"running {module.NAME} ...", file=sys.stderr, flush=True)
        try:
            rows += module.run(options.quick)
        except Exception as why:  # one that cannot run must not hide the others
            failed = True
            print(f"{module.NAME} failed: {type(why).__name__}: {why}", file=sys.stderr)
    print(table(rows))
    if options.json:
        options.json.write_text(as_json(rows, quick=options.quick) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
