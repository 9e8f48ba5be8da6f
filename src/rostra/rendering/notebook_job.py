"""The renderer's own process: ``python -m rostra.rendering.notebook_job``.

Reads one job as a line of JSON, writes progress as lines of JSON, the last of which is ``done`` or ``failed``. A job
that is asked for ``ahead`` has its kernel made ready first, says ``ready`` (or ``refused``), and goes on with what the
next line adds. When its standard input closes, whoever started it is gone: it ends everything it started and leaves.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from rostra.execution import weights
from rostra.rendering.beside import copy_referenced
from rostra.rendering.cells import CellFailed, plain_outputs, run_cells, running_cells
from rostra.rendering.declared import declare
from rostra.rendering.html import to_html
from rostra.rendering.job import PRIMARY
from rostra.rendering.kernel import Kernel, KernelLost, KernelStart, kernel
from rostra.rendering.leading_imports import leading_imports
from rostra.rendering.making_ready import NotReady, give, import_ahead
from rostra.rendering.parameters import inject
from rostra.rendering.processes import end_descendants
from rostra.units import human_size

_LARGEST_NOTEBOOK = 200_000_000
_LONGEST_ORDER = 16_000_000
Orders = asyncio.Queue[dict[str, Any]]


class Unreadable(Exception):
    """The file is not a notebook that can be rendered here."""


def main() -> None:
    job = json.loads(sys.stdin.buffer.readline())
    warnings.simplefilter("ignore")  # about the notebook's own age; its author cannot see them
    asyncio.run(_main(job))


async def _main(job: dict[str, Any]) -> None:
    orders: Orders = asyncio.Queue()
    work = asyncio.ensure_future(_outcome(job, orders))
    alone = asyncio.ensure_future(_listen(orders))
    await asyncio.wait((work, alone), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        end_descendants(os.getpid())
        os._exit(3)
    alone.cancel()
    _tell({**work.result(), "took": _took(job.get("kernel"))})
    os._exit(0)  # a worker thread may still be waiting for input


def _took(kernel: Kernel | None) -> tuple[float, int, int]:
    """Return what this process and its kernel took: seconds, bytes at most, processes."""
    own = weights.of_this()
    theirs = kernel.took if kernel and kernel.took else weights.Weight(0.0, 0, 0)
    return (
        own.cpu_seconds + theirs.cpu_seconds,
        own.memory_bytes + theirs.memory_bytes,
        own.processes + theirs.processes,
    )


async def _outcome(job: dict[str, Any], orders: Orders) -> dict[str, Any]:
    try:
        return {"done": await (_render_later(job, orders) if job.get("ahead") else _render(job))}
    except NotReady as why:
        return {"refused": str(why)}
    except CellFailed as failed:
        return _failed(failed.message, cell=failed.cell, line=failed.line, lines=failed.lines)
    except KernelLost as lost:
        return _failed(str(lost), lines=lost.lines)
    except Unreadable as why:
        return _failed(str(why))
    except MemoryError:
        return _failed(f"the document needs more than {human_size(job.get('memory_bytes', 0))} to be put together")


async def _render(job: dict[str, Any]) -> dict[str, Any]:
    notebook = read_notebook(Path(job["notebook"]))
    if job["parameters"]:
        _tell({"say": inject(notebook, job["parameters"])})
    cells = 0
    if job["execute"] and running_cells(notebook):
        async with kernel(_start(job)) as running:
            job["kernel"] = running
            cells = await _execute(job, notebook, running)
    _tell({"say": "Writing the page"})
    return await asyncio.to_thread(_write, job, notebook, cells)


async def _render_later(job: dict[str, Any], orders: Orders) -> dict[str, Any]:
    notebook = read_notebook(Path(job["notebook"]))
    wanted = [notebook.cells[index].source for index in running_cells(notebook)]
    if not wanted:
        raise NotReady("no cell is run")
    folder = Path(job["notebook"]).parent
    imports = leading_imports(wanted, own={path.name.partition(".")[0] for path in folder.iterdir()})
    async with kernel(_start(job)) as running:
        job["kernel"] = running
        await import_ahead(running, imports, Path(job["work"]))
        _tell({"ready": [each.module for each in imports]})
        job |= await _ordered(orders, running)
        await give(running, job["late"])
        _tell({"taken": True})
        if job["parameters"]:
            _tell({"say": inject(notebook, job["parameters"])})
        cells = await _execute(job, notebook, running)
    _tell({"say": "Writing the page"})
    return await asyncio.to_thread(_write, job, notebook, cells)


async def _ordered(orders: Orders, running: Kernel) -> dict[str, Any]:
    """Wait for the order as long as the kernel lives."""
    order, ended = asyncio.ensure_future(orders.get()), asyncio.ensure_future(running.process.wait())
    try:
        await asyncio.wait((order, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise NotReady("its kernel ended")
        return order.result()
    finally:
        order.cancel()
        ended.cancel()


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any version.

    Raises:
        Unreadable: it is too large, not a notebook, or in another language than Python.
    """
    size = path.stat().st_size
    if size > _LARGEST_NOTEBOOK:
        raise Unreadable(f"{path.name} is {human_size(size)} large; {human_size(_LARGEST_NOTEBOOK)} is the most")
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as why:  # the reader lets anything escape on hostile input
        raise Unreadable(f"{path.name} is not a notebook: {str(why)[:200]}") from why
    language = notebook.metadata.get("kernelspec", {}).get("language") or "python"
    if str(language).lower() != "python":
        raise Unreadable(f"{path.name} is written in {str(language)[:40]}; only Python notebooks can be rendered")
    return notebook


def _start(job: dict[str, Any]) -> KernelStart:
    return KernelStart(
        argv=job["argv"],
        cwd=Path(job["cwd"]),
        env=job["env"],
        connection_dir=Path(job["connection_dir"]),
        timeout_seconds=job["start_seconds"],
        user=tuple(job["user"]) if job["user"] else None,
    )


async def _execute(job: dict[str, Any], notebook: NotebookNode, running: Kernel) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))  # not the kernel's
    ready = ", in a kernel that was ready" if job.get("ahead") else ""
    _tell({"say": f"Running the notebook on Python {running.language_info.get('version', '?')}{ready}"})
    return await run_cells(notebook, running, output_bytes=job["output_bytes"], begun=_begun)


def _write(job: dict[str, Any], notebook: NotebookNode, cells: int) -> dict[str, Any]:
    plain_outputs(notebook)
    hide = {name: job[name] for name in ("hide_all_input", "hide_tagged_input")}
    try:
        html, external = to_html(notebook, title=job["title"], **hide)
    except MemoryError:
        raise
    except Exception as why:  # the converter lets anything escape on a notebook it did not expect
        raise Unreadable(f"the page could not be put together: {str(why).strip()[:300]}") from why
    out = Path(job["out"])
    with (out / PRIMARY).open("w", encoding="utf-8", errors="replace") as file:
        file.write(html)
        file.flush()
        os.fsync(file.fileno())
    copied = copy_referenced(html, Path(job["cwd"]), out)
    declare(notebook.metadata, Path(job["cwd"]), out)
    return {"cells": cells, "external": list(external), "copied": len(copied)}


def _begun(number: int, total: int) -> None:
    _tell({"cell": number, "of": total})


def _failed(message: str, *, cell: int | None = None, line: int | None = None, lines: Any = ()) -> dict[str, Any]:
    return {"failed": {"message": message[:1000], "cell": cell, "line": line, "lines": list(lines)[:40]}}


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _listen(orders: Orders) -> None:
    """Pass on what else is asked; return when nobody is there to ask any more."""
    reader = asyncio.StreamReader(limit=_LONGEST_ORDER)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    try:
        while line := await reader.readline():
            orders.put_nowait(json.loads(line))
    finally:
        transport.close()


if __name__ == "__main__":
    main()
