"""Makes a kernel ready for one notebook before it is run, and gives it at last what only that run may know.

All of it is asked of the kernel silently: no cell is counted, no name appears in the notebook's own namespace, nothing
is kept in its history. Where somebody could tell the difference the kernel is given up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rostra.rendering.kernel import Kernel
from rostra.rendering.leading_imports import Import

IMPORT_SECONDS, GIVE_SECONDS = 60.0, 5.0
_SHOWN = ("stream", "display_data", "update_display_data", "execute_result", "clear_output", "comm_open")

# Runs in the content's own Python, whichever that is.
_IMPORT = """
import json, os, sys, threading
wanted, folder = json.loads({told!r})
threads = threading.active_count()
for module, names in wanted:
    __import__(module, None, None, names)
if threading.active_count() != threads:
    raise RuntimeError("an import starts threads")
folder = os.path.realpath(folder) + os.sep
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    if isinstance(file, str) and os.path.realpath(file).startswith(folder):
        raise RuntimeError("an import comes from the bundle")
"""
_GIVE = """
import json, os
os.environ.update(json.loads({told!r}))
"""


class NotReady(Exception):
    """The notebook would notice, or the kernel does not do it."""


async def import_ahead(kernel: Kernel, wanted: Sequence[Import], folder: Path) -> None:
    """Import what the notebook will; ``folder`` is its copy of the bundle.

    Raises:
        NotReady: an import fails, says something, starts threads, or runs code of the bundle.
    """
    if wanted:
        told = [[[each.module, list(each.names)] for each in wanted], str(folder)]
        await _silently(kernel, _IMPORT.format(told=json.dumps(told)), IMPORT_SECONDS)


async def give(kernel: Kernel, variables: Mapping[str, str]) -> None:
    """Set variables.

    Raises:
        NotReady: the kernel does not answer, or something was said since it was made ready.
    """
    await _silently(kernel, _GIVE.format(told=json.dumps(dict(variables))), GIVE_SECONDS)


async def _silently(kernel: Kernel, code: str, seconds: float) -> None:
    client = kernel.client
    try:
        async with asyncio.timeout(seconds):
            source = f"exec({code!r}, {{}})"
            asked = client.execute(source, silent=True, store_history=False, allow_stdin=False)
            await _nothing_said(kernel, asked)
            while (reply := await client.get_shell_msg(timeout=seconds))["parent_header"].get("msg_id") != asked:
                pass
    except NotReady:
        raise
    except Exception as why:  # of the client, which lets anything escape when the other side ends
        raise NotReady(f"the kernel does not answer: {why!r}") from why
    if reply["content"].get("status") != "ok":
        raise NotReady(f"{reply['content'].get('ename')}: {reply['content'].get('evalue')}"[:300])


async def _nothing_said(kernel: Kernel, asked: str) -> None:
    """Read what the kernel publishes until it is idle again."""
    while True:
        message = await kernel.client.get_iopub_msg(timeout=None)
        if message["msg_type"] in _SHOWN:
            raise NotReady("an import says something")
        of, state = message["parent_header"].get("msg_id"), message["content"].get("execution_state")
        if message["msg_type"] == "status" and of == asked and state == "idle":
            return
