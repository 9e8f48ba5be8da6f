"""What must be true of a server that was killed and started again: on disk, in its database, among its processes."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from support.server import Server
from support.watching import below, mentioning, paths_below


def unfinished(data_dir: Path) -> list[str]:
    """Return every scratch place there is, as paths under the data folder."""
    found = (path for path in paths_below(data_dir) if path.name.startswith(".scratch-"))
    return sorted(str(path.relative_to(data_dir)) for path in found)


def orphans(server: Server) -> dict[int, str]:
    """Return processes that name the data folder and do not descend from the running supervisor."""
    ours = set() if server.process is None or server.process.poll() is not None else {server.process.pid}
    for pid in tuple(ours):
        ours |= set(below(pid))
    return {pid: words for pid, words in mentioning(server.data_dir).items() if pid not in ours}


def kernels_that_wait(server: Server) -> set[str]:
    """Return the scratch places of kernels that run: each waits for a document to be rendered again."""
    words = "\0".join(
        Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        for pid in mentioning(server.data_dir / "renderings")
        if Path(f"/proc/{pid}").exists()
    )
    return {name for name in unfinished(server.data_dir) if str(server.data_dir / name) in words}


def complaints(server: Server) -> list[str]:
    """Return everything that is not as it should be while nothing is being deployed; empty when all is well."""
    waiting = kernels_that_wait(server)
    found = [f"scratch is left: {name}" for name in unfinished(server.data_dir) if name not in waiting]
    found += [f"orphan {pid}: {words}" for pid, words in orphans(server).items()]
    running = {path.name for path in (server.data_dir / "run" / "p").glob("*") if (path / "s").exists()}
    with closing(sqlite3.connect(f"file:{server.data_dir / 'rostra.db'}?mode=ro", uri=True)) as database:
        found += _of_records(database, running)
        found += _of_files(database, server.data_dir, waiting)
    found += _of_environments(server.data_dir)
    return found


def _of_records(database: sqlite3.Connection, running: set[str]) -> Iterator[str]:
    for key, tag in database.execute("SELECT key, tag FROM jobs WHERE ended_at IS NULL"):
        if key not in running:
            yield f"job {key} ({tag}) is shown as running"
    for (process,) in database.execute("SELECT process_key FROM api_keys WHERE process_key IS NOT NULL"):
        if process not in running:
            yield f"the key of process {process} is good although it does not run"
    for task, kind in database.execute("SELECT id, kind FROM tasks WHERE finished_at IS NULL"):
        yield f"task {task} ({kind}) is not finished"
    for task, error in database.execute("SELECT id, error FROM tasks WHERE exit_code != 0"):
        if not error:
            yield f"task {task} failed without a word"


def _of_files(database: sqlite3.Connection, data_dir: Path, waiting: set[str]) -> Iterator[str]:
    wanted = "SELECT items.guid, bundles.id FROM bundles JOIN items ON items.id = bundles.item_id"
    rows = {(guid, str(number)) for guid, number in database.execute(wanted)}
    archives = {(path.parent.name, path.name.partition(".")[0]) for path in (data_dir / "bundles").glob("*/*.tar.gz")}
    folders = {(path.parent.name, path.name) for path in (data_dir / "apps").glob("*/*")}
    yield from (f"bundle {row} has no archive" for row in sorted(rows - archives))
    yield from (f"archive {name} has no bundle" for name in sorted(archives - rows))
    yield from (f"folder {name} has no bundle" for name in sorted(folders - rows))
    for path in (data_dir / "apps").glob("*/*"):
        if not (path / "manifest.json").is_file():
            yield f"{path} is half unpacked"
    kept = {path for (path,) in database.execute("SELECT path FROM renderings")}
    for path in (data_dir / "renderings").glob("*/*"):
        if str(path.relative_to(data_dir)) not in kept | waiting:
            yield f"{path} is no rendering"
    yield from (f"rendering {path} is not there" for path in kept if not (data_dir / path).is_dir())


def _of_environments(data_dir: Path) -> Iterator[str]:
    for path in [*(data_dir / "environments" / "python").glob("*/*"), *(data_dir / "overlays").glob("*/*")]:
        if not (path / "rostra.json").is_file():
            yield f"{path.relative_to(data_dir)} says nothing of itself"
        if not (path / "bin" / "python").exists():
            yield f"{path.relative_to(data_dir)} has no interpreter"


def said_of(log: str, names: list[str]) -> list[str]:
    """Return the scratch places that the log does not mention, by themselves or by a folder above them."""
    removed = " ".join(re.findall(r"Removed ([^\n]*)", log))
    return [name for name in names if not any(part in removed for part in _at_and_above(name))]


def _at_and_above(name: str) -> list[str]:
    parts = name.split("/")
    first = next(number for number, part in enumerate(parts) if part.startswith(".scratch-"))
    return ["/".join(parts[: first + 1])]  # what is inside goes with it


def states(server: Server, guid: str) -> str:
    """Return a line on an item for failure messages."""
    found = server.ask(f"/__api__/v1/content/{guid}")
    return json.dumps({name: found[name] for name in ("bundle_id", "last_deployed_time", "app_mode")})
