"""The parent that renderers are forked from: ``python -m rostra.rendering.warm_parent``, its socket as standard input.

It has imported what renderers need and made a page once, so that a renderer begins at once. No document ever comes near
it: whoever asks sends descriptors, the fork takes them as its standard streams and goes on as `notebook_job`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rostra.rendering import notebook_job
from rostra.rendering.html import to_html
from rostra.rendering.processes import end_tree
from rostra.rendering.warm_parent_words import BYE, FORK, READY

NOT_WARM = 79  # it has more than one thread, and a fork of it might wait for ever
GRACE_SECONDS = 5.0


def main() -> None:
    asked = socket.socket(fileno=os.dup(0))
    _exercise()
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.stderr.write("renderers are not forked: a library starts threads when it is loaded\n")
        os._exit(NOT_WARM)
    gc.collect()
    gc.freeze()  # what is shared stays shared: the collector would write into it
    signal.signal(signal.SIGCHLD, _reap)
    asked.send(READY)
    children: list[int] = []
    while True:
        told, descriptors, _, _ = socket.recv_fds(asked, 16, 2)
        if told != FORK:
            break
        children = [pid for pid in children if _runs(pid)]
        children.append(_fork(asked, descriptors))
    if told != BYE:  # whoever asked is gone, and its renderers have noticed that as well
        _see_out(children)


def _exercise() -> None:
    """Make a page of one's own, so that templates are compiled and what is loaded late is loaded."""
    text = new_output("stream", name="stdout", text="1\n")  # type: ignore[no-untyped-call]
    shown = new_output("execute_result", data={"text/html": "<b>1</b>", "text/plain": "1"})  # type: ignore[no-untyped-call]
    notebook = new_notebook(  # type: ignore[no-untyped-call]
        cells=[
            new_markdown_cell("# A page\n\n`x`"),  # type: ignore[no-untyped-call]
            new_code_cell("x = 1", outputs=[text, shown]),  # type: ignore[no-untyped-call]
        ]
    )
    to_html(notebook, title="", hide_all_input=False, hide_tagged_input=True)
    ctypes.CDLL(None)


def _fork(asked: socket.socket, descriptors: list[int]) -> int:
    # A child may end before its parent has looked: it must not be reaped until there is a descriptor of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        _become_renderer(asked, descriptors)
    handle = os.pidfd_open(pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    with suppress(OSError):
        socket.send_fds(asked, [str(pid).encode()], [handle])
    for descriptor in (handle, *descriptors):
        os.close(descriptor)
    return pid


def _become_renderer(asked: socket.socket, descriptors: list[int]) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setsid()
        asked.close()
        conversation, errors = descriptors
        for target, source in enumerate((conversation, conversation, errors)):
            os.dup2(source, target)
        for descriptor in descriptors:
            os.close(descriptor)
        notebook_job.main()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _runs(pid: int) -> bool:
    """Say whether a child is there still; children that ended were reaped, and others are not ours to look at."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except (OSError, ValueError, IndexError):
        return False


def _see_out(children: list[int]) -> None:
    end = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < end and any(map(_runs, children)):
        time.sleep(0.05)
    for pid in filter(_runs, children):
        end_tree(pid)


if __name__ == "__main__":
    main()
