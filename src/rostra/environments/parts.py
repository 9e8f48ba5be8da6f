"""The parts of a bundle that its requirements refer to: known by their content, copied to where they are installed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path


def digest(bundle_dir: Path, parts: Iterable[str]) -> str:
    """Return a digest over names, modes and content of ``parts``; empty when there are none."""
    total = hashlib.sha256()
    any_part = False
    for part in sorted(parts):
        any_part = True
        for path in _files(bundle_dir / part):
            total.update(f"{path.relative_to(bundle_dir)}\0{path.is_symlink()}\0".encode(errors="surrogateescape"))
            total.update(_content(path))
    return total.hexdigest() if any_part else ""


def copy(bundle_dir: Path, parts: Iterable[str], target: Path) -> None:
    """Copy ``parts`` below ``target``, writable: building a package may write beside its sources."""
    for part in parts:
        source, place = bundle_dir / part, target / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, place)
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)  # noqa: PTH101, S103  # copied from a read-only bundle


def _files(part: Path) -> Iterator[Path]:
    if not part.is_dir() or part.is_symlink():
        yield part
        return
    for folder, folders, names in os.walk(part):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in sorted([*names, *links]))


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(os.readlink(path))  # noqa: PTH115
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
