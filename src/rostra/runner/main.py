"""Starts one piece of content: ``python -u …/runner/main.py --kind asgi --entrypoint app --socket …``.

Exits 0 after SIGTERM, 1 after saying in one line what is wrong.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # This folder must not be importable: a file here would hide the author's module, or the package, of the same name.
    RUNNER_DIR = sys.path.pop(0)

import atexit
import importlib.util
import os
import signal
import types

PACKAGE = "_rostra_runner"


def main(runner_dir: str) -> None:
    """Serve until told to stop; does not return."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing to finish before it serves
    register(runner_dir)
    start = importlib.import_module(PACKAGE + ".start")
    leave(start.run(sys.argv[1:]))


def register(runner_dir: str) -> None:
    """Make this folder a package under a name that no author uses, without putting it on the path."""
    package = types.ModuleType(PACKAGE)
    package.__path__ = [runner_dir]
    sys.modules[PACKAGE] = package


def leave(code: int) -> None:
    """End the process even if the author's code left threads behind."""
    try:
        atexit._run_exitfuncs()  # the only way to run them before _exit
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(RUNNER_DIR)
