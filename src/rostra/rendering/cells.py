"""Runs a notebook's cells in a kernel, in order, and keeps what they print and draw within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from rostra.rendering.kernel import Kernel
from rostra.rendering.tracebacks import decisive, line_in_cell, plain, summary
from rostra.units import human_size

STREAM_BYTES = 1_000_000  # what one cell may print to each of its two streams
_SKIP_TAG = "skip-execution"


class CellFailed(Exception):
    """``cell`` from 1 among the cells that run, ``line`` from 1 or None; ``lines`` are worth reading."""

    def __init__(self, message: str, cell: int, line: int | None, lines: tuple[str, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.cell = cell
        self.line = line
        self.lines = lines


def running_cells(notebook: NotebookNode) -> list[int]:
    """Return the indices of the cells that will be run."""
    return [index for index, cell in enumerate(notebook.cells) if _runs(cell)]


async def run_cells(
    notebook: NotebookNode, kernel: Kernel, *, output_bytes: int, begun: Callable[[int, int], None]
) -> int:
    """Run every cell and leave the outputs in ``notebook``; return how many ran.

    ``begun(n, of)`` is called before each, both counted from 1.

    Raises:
        CellFailed: a cell raised (unless its tag ``raises-exception`` allows that), or took its kernel with it.
    """
    client = _BoundedClient(notebook, output_bytes)
    client.kc = kernel.client
    wanted = running_cells(notebook)
    for number, index in enumerate(wanted, start=1):
        begun(number, len(wanted))
        await _run_cell(client, kernel, index, number)
    client.set_widgets_metadata()
    notebook.metadata["language_info"] = kernel.language_info
    return len(wanted)


async def _run_cell(client: _BoundedClient, kernel: Kernel, index: int, number: int) -> None:
    cell = client.nb.cells[index]
    running = asyncio.ensure_future(client.async_execute_cell(cell, index, execution_count=number))
    ended = asyncio.ensure_future(kernel.process.wait())
    try:
        await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise CellFailed(_how_it_ended(ended.result()), number, None, kernel.last_lines())
        running.result()
    except DeadKernelError as why:
        raise CellFailed("the kernel stopped answering", number, None, kernel.last_lines()) from why
    except CellControlSignal as why:
        traceback = client.failure.get("traceback") or []
        text = summary(client.failure.get("ename") or "Error", client.failure.get("evalue") or "")
        raise CellFailed(text, number, line_in_cell(traceback), decisive(traceback)) from why
    finally:
        for task in (running, ended):
            task.cancel()
        await asyncio.gather(running, ended, return_exceptions=True)


class _BoundedClient(NotebookClient):
    """Leaves out what is beyond the bounds and says so where it would have been."""

    def __init__(self, notebook: NotebookNode, output_bytes: int) -> None:
        super().__init__(notebook, coalesce_streams=True, timeout=None, record_timing=False, iopub_timeout=30)
        self.on_cell_error = self._remember_failure
        self.skip_cells_with_tag = _SKIP_TAG
        self.failure: dict[str, Any] = {}
        self.reset_execution_trackers()
        self._left = output_bytes
        self._streamed: dict[tuple[int, str], int] = {}

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        note = self._bound(msg, cell_index)
        if note is None:
            return super().output(outs, msg, display_id, cell_index)
        if note:
            outs.append(new_output("stream", name="stderr", text=note))  # type: ignore[no-untyped-call]
        return None

    def _bound(self, msg: dict[str, Any], cell_index: int) -> str | None:
        """Return None to keep the message, else the note to show instead (empty: it was shown before)."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            key = (cell_index, str(content.get("name")))
            before = self._streamed.get(key, 0)
            self._streamed[key] = before + len(content.get("text", ""))
            if self._streamed[key] > STREAM_BYTES:
                return "" if before > STREAM_BYTES else f"\n… output cut after {human_size(STREAM_BYTES)}\n"
        weight = _weight(content)
        if weight > self._left:
            return f"… an output of {human_size(weight)} is left out: this document may hold no more\n"
        self._left -= weight
        return None

    def _remember_failure(self, *, execute_reply: dict[str, Any], **_: Any) -> None:
        self.failure = execute_reply.get("content", {})


def _weight(content: dict[str, Any]) -> int:
    """Return roughly how many characters an output adds to the page."""
    data = content.get("data") or {}
    pieces = [content.get("text", ""), *data.values(), *content.get("traceback", [])]
    return sum(len(piece) if isinstance(piece, str) else len(repr(piece)) for piece in pieces)


def _runs(cell: NotebookNode) -> bool:
    tags = cell.metadata.get("tags", [])
    return bool(cell.cell_type == "code" and cell.source.strip() and _SKIP_TAG not in tags)


def _how_it_ended(code: int) -> str:
    if code in {-9, 137}:
        return "the kernel was killed, most likely because it needed more memory than it may have"
    return f"the kernel ended with status {code} while the cell was running"


def plain_outputs(notebook: NotebookNode) -> None:
    """Take control characters that no page can show out of printed text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("output_type") == "stream" and "\x00" in output.get("text", ""):
                output["text"] = plain(output["text"])
