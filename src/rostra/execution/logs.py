"""What a process says, kept line by line with time and stream, in bounded space.

The beginning is kept for good. What comes after goes to a tail that is written in two halves beside the file, the older
half making room for the newer, so that the end can be read while the process runs and after the launcher was killed.
When the process ends, the tail is put behind a line that says how much lies between.

Format: one JSON array a line, ``["out" | "err" | "log", unix time, text]``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rostra.clock import Clock, SystemClock

LONGEST_LINE = 16 * 1024  # bytes of one line that are kept
TAIL_HALF = 64 * 1024
NOTICE_BYTES = 256  # room for the line that says what was left out
SOURCES = {"out": "stdout", "err": "stderr", "log": "rostra"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """``source`` is ``stdout``, ``stderr``, or ``rostra`` for what the server itself has to say; ``at`` is UTC."""

    source: str
    at: dt.datetime
    text: str


class LogFile:
    """Takes bytes as they come; never holds more than one unfinished line per stream."""

    def __init__(self, path: Path, most_bytes: int, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._half = min(TAIL_HALF, max(1, most_bytes // 8))
        self._head_bytes = max(0, most_bytes - 2 * self._half - NOTICE_BYTES)
        self._written = 0
        self._tail_written = 0
        self._left_out = 0
        self._partial = {"out": b"", "err": b""}
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in _tail_paths(path):
            old.unlink(missing_ok=True)
        self._head = _open(path, truncate=True)
        self._tail: BinaryIO | None = None

    def feed(self, source: str, data: bytes) -> None:
        """Take bytes of stream ``out`` or ``err``. A full disk loses lines, it does not stop the process."""
        *lines, rest = (self._partial[source] + data).split(b"\n")
        self._partial[source] = rest[: LONGEST_LINE + 1]
        self._keep([self._encode(source, line) for line in lines])

    def say(self, text: str) -> None:
        """Add a line of the server's own."""
        self._keep([self._encode("log", text.encode())])

    def close(self) -> None:
        """Write what is unfinished, and join the tail to the beginning."""
        unfinished = [self._encode(source, rest) for source, rest in self._partial.items() if rest]
        self._partial = {"out": b"", "err": b""}
        self._keep(unfinished)
        if self._tail is not None:
            self._tail.close()
            with contextlib.suppress(OSError):
                self._join()
        self._head.close()

    def _join(self) -> None:
        if self._left_out:
            self._head.write(self._encode("log", f"… {self._left_out} bytes were left out here …".encode()))
        for part in _tail_paths(self._path):
            with contextlib.suppress(FileNotFoundError):
                self._head.write(part.read_bytes())
        for part in _tail_paths(self._path):
            part.unlink(missing_ok=True)

    def _encode(self, source: str, line: bytes) -> bytes:
        text = line[:LONGEST_LINE].rstrip(b"\r").decode("utf-8", "replace")
        if len(line) > LONGEST_LINE:
            text += " … (long line cut)"
        moment = round(self._clock.now().timestamp(), 3)
        return json.dumps([source, moment, text], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _keep(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            try:
                if self._tail is None and self._written + len(line) <= self._head_bytes:
                    self._head.write(line)
                    self._written += len(line)
                else:
                    self._keep_in_tail(line)
            except OSError:
                self._left_out += len(line)

    def _keep_in_tail(self, line: bytes) -> None:
        older, newer = _tail_paths(self._path)
        if len(line) > self._half:
            self._left_out += len(line)
            return
        if self._tail is None:
            self._tail = _open(newer, truncate=True)
        if self._tail_written + len(line) > self._half:
            self._tail.close()
            self._left_out += older.stat().st_size if older.exists() else 0
            newer.replace(older)
            self._tail, self._tail_written = _open(newer, truncate=True), 0
        self._tail.write(line)
        self._tail_written += len(line)


def read(path: Path, last_lines: int | None = None) -> list[LogLine]:
    """Return the kept lines, oldest first; the last ``last_lines`` of them when given. A missing file has none.

    Works while the process runs: a line between beginning and tail says that something may be left out.
    """
    parts = [path, *_tail_paths(path)]
    whole = b"".join(_bytes(part) for part in parts)
    lines = [line for line in whole.split(b"\n") if line]
    if last_lines is not None:
        lines = lines[-last_lines:] if last_lines else []
    return [found for line in lines if (found := _decode(line))]


def _decode(line: bytes) -> LogLine | None:
    try:
        source, moment, text = json.loads(line)
        return LogLine(SOURCES[source], dt.datetime.fromtimestamp(moment, dt.UTC), text)
    except (ValueError, KeyError, TypeError):
        return None  # cut short by a crash


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _tail_paths(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".tail-old"), path.with_name(path.name + ".tail")


def _open(path: Path, *, truncate: bool) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | (os.O_TRUNC if truncate else 0)
    return os.fdopen(os.open(path, flags, 0o640), "wb", buffering=0)
