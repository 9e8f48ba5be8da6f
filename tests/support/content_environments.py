"""Builds real environments for content, once, and keeps them under pytest's cache folder.

An environment is named by its interpreter and its requirements; two workers asking for one build it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rostra.environments import overlay

OVERLAY = (*overlay.SERVERS, *overlay.FASTER)


@dataclass(frozen=True)
class BuiltEnvironments:
    """``folder`` is where they are kept; it may be removed at any time."""

    folder: Path

    def python(self, interpreter: Path, requirements: str) -> Path:
        """Return the executable of an environment of ``interpreter`` with ``requirements`` installed.

        Raises:
            subprocess.CalledProcessError: when they do not install; its ``stderr`` says why.
        """
        root = self.folder / f"{interpreter.parent.parent.name}-{_digest(requirements)}"
        with _built_once(root) as fresh:
            if fresh:
                _uv("venv", "--quiet", "--python", str(interpreter), str(root))
                _uv("pip", "install", "--quiet", "--python", str(root / "bin/python"), "-r", "-", stdin=requirements)
        return root / "bin/python"

    def overlay(self, interpreter: Path) -> Path:
        """Return a folder of the servers the runner needs, as the server's own overlay has them."""
        root = self.folder / f"{interpreter.parent.parent.name}-overlay-{_digest(' '.join(OVERLAY))}"
        with _built_once(root) as fresh:
            if fresh:
                _uv("pip", "install", "--quiet", "--python", str(interpreter), "--target", str(root), *OVERLAY)
        return root


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def _built_once(root: Path) -> Iterator[bool]:
    """Yield whether ``root`` must be built; marks it ready when the block ends well, removes it when it does not."""
    root.parent.mkdir(parents=True, exist_ok=True)
    ready = root.with_name(root.name + ".ready")
    with root.with_name(root.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = not (ready.exists() and root.is_dir())
        if fresh:
            shutil.rmtree(root, ignore_errors=True)
        try:
            yield fresh
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        ready.touch()


def _uv(*arguments: str, stdin: str = "") -> None:
    program = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run([program, *arguments], input=stdin, text=True, check=True, capture_output=True, timeout=900)
