"""Puts the pieces in order: paths, the author's application, the server for it, and words when that fails."""

from __future__ import annotations

import os
import sys
from typing import Callable, Dict, List, Sequence

from . import applications, failure, notebooks, scripts
from .listening import Listener
from .options import Options, parse

SERVERS: Dict[str, Callable[[Options, Listener], None]] = {
    **applications.SERVERS,
    **scripts.SERVERS,
    **notebooks.SERVERS,
}


def run(words: Sequence[str]) -> int:
    """Serve as the command line says, until told to stop; return the exit status."""
    options = parse(words)
    arrange_path(sys.path, os.getcwd(), options.overlay)
    sys.argv[:] = [options.entrypoint]
    try:
        SERVERS[options.kind](options, Listener(options.socket))
    except failure.Failure as problem:
        print(*failure.lines(problem, os.getcwd()), sep="\n", file=sys.stderr, flush=True)
        return 1
    return 0


def arrange_path(path: List[str], code_dir: str, overlay: str) -> None:
    """Put the bundle first, as ``python -m`` does, and the overlay last, so that what the author pinned wins."""
    path[:] = [code_dir, *(entry for entry in path if entry not in ("", code_dir))]
    if overlay:
        path.append(overlay)
