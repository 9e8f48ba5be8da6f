"""What came of reading the configuration again, kept for whoever asked: a signal brings no answer back."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "reloaded.json"
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """One reading of the configuration.

    ``refused`` and ``hint`` say why it was not taken over, empty when it was. ``waiting`` names settings that count
    after a restart.
    """

    refused: str = ""
    hint: str = ""
    waiting: tuple[str, ...] = ()


def keep(run_dir: Path, began: float, told: Reloaded) -> None:
    """Let ``wait`` find it. ``began`` is ``time.monotonic()`` of before the configuration was read."""
    scratch = run_dir / f".{_FILE}.new"
    scratch.unlink(missing_ok=True)
    # Why it was refused may quote the file: for the server's account alone.
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"began": began, **asdict(told)}, file)
    scratch.replace(run_dir / _FILE)


def forget(run_dir: Path) -> None:
    """Remove what is kept: it may be from before the machine started, when its clock said something else."""
    (run_dir / _FILE).unlink(missing_ok=True)


def wait(run_dir: Path, since: float, seconds: float) -> Reloaded | None:
    """Return what came of a reading that began at ``since`` or later; None when nothing did within ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            found = json.loads((run_dir / _FILE).read_text(encoding="utf-8"))
            if found.pop("began") >= since:
                return Reloaded(refused=found["refused"], hint=found["hint"], waiting=tuple(found["waiting"]))
        time.sleep(_LOOK_SECONDS)
    return None
