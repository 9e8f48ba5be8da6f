"""Compiles source files to bytecode that needs no check of its source. Run by content's own interpreter, 3.8 or newer.

    python -I -S compile_files.py JOB OUT WORKERS

JOB has one path to a line. For each that compiles, OUT gets ``{sha256 of the source}.pyc`` (PEP 552, unchecked); what
became of each goes to ``OUT/done-{worker}`` as ``{number of the line} {sha256} {1 or 0}``. Source and digest are of the
same bytes, so a result can never be filed under another source's name. Standard library only; nothing is imported from
what it compiles.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import sys
import warnings

FLAGS = b"\1\0\0\0"  # hash-based, never checked against the source


def compiled(source: bytes) -> bytes:
    """Return the content of a .pyc for ``source``; the interpreter puts the real file name in when it imports it."""
    code = compile(source, "<compiled by the server>", "exec", dont_inherit=True, optimize=0)
    return importlib.util.MAGIC_NUMBER + FLAGS + importlib.util.source_hash(source) + marshal.dumps(code)


def write(path: str, data: bytes) -> None:
    temporary = "%s.%d" % (path, os.getpid())  # noqa: UP031
    with open(temporary, "wb") as file:  # noqa: PTH123
        file.write(data)
    os.chmod(temporary, 0o444)  # noqa: PTH101
    os.replace(temporary, path)  # noqa: PTH105


def work(jobs: list[tuple[int, str]], out: str, worker: int) -> None:
    with open(os.path.join(out, "done-%d" % worker), "w") as done:  # noqa: PTH118, PTH123, UP031
        for number, path in jobs:
            try:
                with open(path, "rb") as file:  # noqa: PTH123
                    source = file.read()
            except OSError:
                continue
            digest = hashlib.sha256(source).hexdigest()
            try:
                write(os.path.join(out, digest + ".pyc"), compiled(source))  # noqa: PTH118
                fine = 1
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
                fine = 0
            done.write("%d %s %d\n" % (number, digest, fine))  # noqa: UP031
            done.flush()


def size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def main(job: str, out: str, workers: int) -> None:
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(3000)
    with open(job, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        paths = list(enumerate(file.read().split("\n")))
    jobs = sorted((pair for pair in paths if pair[1]), key=lambda pair: -size(pair[1]))
    children = []
    for worker in range(workers):
        child = os.fork()
        if child == 0:
            work(jobs[worker::workers], out, worker)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
