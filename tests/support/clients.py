"""Publishing clients of any release, each in an environment of its own that is kept between runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.server import BIN


def client(kept: Path, release: str, python: Path, *packages: str) -> Path:
    """Return the program ``rsconnect`` of one release, installed with ``packages`` for ``python``.

    ``kept`` is a folder that outlives the run; an environment is there whole or not at all.
    """
    name = "-".join((release, python.resolve().parent.parent.name, *(word.partition("<")[0] for word in packages)))
    folder = kept / name
    if not (folder / "bin" / "rsconnect").exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = kept / f".scratch-{name}"
        shutil.rmtree(made, ignore_errors=True)
        uv("venv", "--relocatable", "--python", str(python), str(made))
        wanted = [f"rsconnect-python=={release}", *packages]
        # Copied: links into a cache that others fill and tidy at the same time fail now and then.
        uv("pip", "install", "--link-mode", "copy", "--python", str(made / "bin" / "python"), *wanted)
        made.rename(folder)
    return folder / "bin" / "rsconnect"


def uv(*words: str) -> None:
    done = subprocess.run([BIN / "uv", "--quiet", *words], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"uv {' '.join(words)}\n{done.stderr}"
