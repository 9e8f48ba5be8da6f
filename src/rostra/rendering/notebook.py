"""Renders a notebook in a process of its own, with its kernel in the content's interpreter.

Whatever happens, also a cancellation: no process is left, and the output folder is complete or absent.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from rostra.durable import publish
from rostra.execution.weights import Weight
from rostra.rendering import orders
from rostra.rendering.conversation import Conversation
from rostra.rendering.job import PRIMARY, Rendered, RenderFailed, RenderJob, RenderTimedOut, Say
from rostra.rendering.places import Place
from rostra.rendering.processes import to_the_end
from rostra.rendering.ready_kernels import ReadyKernel
from rostra.rendering.renderers import PlainRenderers, Renderers
from rostra.rendering.tracebacks import plain
from rostra.units import human_duration

_PLAIN = PlainRenderers()


async def render(
    job: RenderJob,
    say: Say,
    renderers: Renderers = _PLAIN,
    ready: ReadyKernel | None = None,
    *,
    ended: Callable[[Weight], None] = lambda _: None,
) -> Rendered:
    """Render ``job`` and return the finished folder; ``say`` gets one line for each step.

    ``ready`` was made for this notebook. It is used when it can be, and ends in any case. ``ended`` is told what the
    renderer took with its kernel, however it ended.

    Raises:
        RenderFailed: the notebook, its kernel or the page failed; ``output`` does not exist.
        RenderTimedOut: it took longer than ``job.timeout``.
    """
    begun = asyncio.get_running_loop().time()
    if ready is not None:
        try:
            if await ready.take(job):
                with _weighed(ready.conversation, ended):
                    return await _finish(job, ready.place, ready.conversation, say, begun)
        finally:
            await asyncio.shield(ready.end())
    place = await Place.of(job)
    try:
        conversation = Conversation(await renderers.start())
        conversation.tell(orders.whole(job, place))
        with _weighed(conversation, ended):
            return await _finish(job, place, conversation, say, begun)
    finally:
        await place.remove()


@contextlib.contextmanager
def _weighed(conversation: Conversation, ended: Callable[[Weight], None]) -> Iterator[None]:
    try:
        yield
    finally:
        if conversation.took:
            ended(conversation.took)


async def _finish(job: RenderJob, place: Place, conversation: Conversation, say: Say, begun: float) -> Rendered:
    """See a render to its end that has begun."""
    try:
        done = await _in_time(job, conversation, say)
    finally:
        await asyncio.shield(conversation.end())
    await to_the_end(publish, place.out, job.output)
    if done["external"]:
        say(f"The page fetches {' and '.join(done['external'])} from a public site when it is read")
    return Rendered(
        folder=job.output,
        primary=PRIMARY,
        cells=done["cells"],
        duration=dt.timedelta(seconds=asyncio.get_running_loop().time() - begun),
        external=tuple(done["external"]),
    )


async def _in_time(job: RenderJob, conversation: Conversation, say: Say) -> dict[str, Any]:
    running = _Progress(say)
    try:
        async with asyncio.timeout(job.timeout.total_seconds()):
            while (message := await conversation.heard()) is not None:
                running.take(message)
            return _ended(running.end, await conversation.last_errors())
    except TimeoutError:
        raise RenderTimedOut(
            f"still running after {human_duration(job.timeout)}, which is the limit",
            cell=running.cell,
            hint="Make it quicker, or ask an administrator to raise Applications.RenderTimeout.",
        ) from None


class _Progress:
    """Turns the job's messages into lines, and remembers which cell is running and how it ended."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.cell: int | None = None
        self.end: dict[str, Any] | None = None

    def take(self, message: dict[str, Any]) -> None:
        if "cell" in message:
            self.cell = message["cell"]
            self._say(f"cell {message['cell']} of {message['of']}")
        elif "say" in message:
            self.cell = None
            self._say(message["say"])
        else:
            self.end = message


def _ended(end: dict[str, Any] | None, tail: bytes) -> dict[str, Any]:
    if end is None:
        lines = plain(tail.decode("utf-8", "replace")).splitlines()[-15:]
        raise RenderFailed(
            "the renderer ended unexpectedly, most likely because the document is too large",
            lines=lines,
            hint="Make its outputs smaller; an administrator finds more in the server's log.",
        )
    if "failed" in end:
        failed = end["failed"]
        raise RenderFailed(failed["message"], cell=failed["cell"], line=failed["line"], lines=failed["lines"])
    return dict(end["done"])
