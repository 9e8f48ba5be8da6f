"""`rostra backup` and `rostra restore`: the whole data folder in one file, and back."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rostra.units import human_size


def backup(config: Path | None, output: Path | None, *, environments: bool, files_only: bool) -> None:
    from rostra.app.backup import back_up
    from rostra.cli.serve import loaded

    path = output or Path(time.strftime("rostra-backup-%Y%m%d-%H%M%S.tar.gz"))
    made = back_up(loaded(config).settings, path, _say, environments=environments, files_only=files_only)
    for name in made.missing:
        print(f"rostra: the records name {name}, which the data folder does not have", file=sys.stderr)
    print(f"{made.path}: {made.files} files, {human_size(made.size)}")
    print("It holds the secrets of this server and what people published: keep it as safe as the server itself.")


def restore(file: Path, config: Path | None, to: Path | None) -> None:
    from rostra.app.restore import restore as unpack
    from rostra.cli.serve import loaded

    made = unpack(file, to or loaded(config).settings.server.data_dir, _say)
    print(f"{made.folder} is as it was on {made.made_at} (Rostra {made.rostra}): {made.files} files")
    if made.left_out:
        print(
            f"Not restored into another folder: {', '.join(made.left_out)}; they are made again when they are needed."
        )
    if made.database:
        print("Next: rostra serve. Schedules and mails that were waiting go on from there.")
    else:
        print("Next: restore the database with the tools of PostgreSQL, then: rostra serve.")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
