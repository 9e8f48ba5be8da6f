"""What is said with one renderer, line by line, and the certainty that nothing of it is left afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from rostra.execution.weights import Weight, weigh_at_end
from rostra.rendering.processes import end_tree, to_the_end
from rostra.rendering.renderers import Renderer

_TAIL_BYTES = 8_192


class Conversation:
    """Takes the renderer over: whoever makes one has to ``end`` it."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._tail = asyncio.create_task(_tail(renderer))
        self.took: Weight | None = None  # it and its kernel, until it ended, as far as that is known

    @property
    def pid(self) -> int:
        return self._renderer.pid

    @property
    def ended(self) -> bool:
        return self._renderer.ended

    def tell(self, message: Mapping[str, Any]) -> None:
        self._renderer.tell(json.dumps(message).encode() + b"\n")

    async def heard(self) -> dict[str, Any] | None:
        """Return the next thing it says; None when it will say nothing any more."""
        line = await self._renderer.said.readline()
        said: dict[str, Any] | None = json.loads(line) if line else None
        if said and "took" in said:
            self.took = Weight(*said.pop("took"))
        return said

    async def last_errors(self) -> bytes:
        """Return the end of what it wrote to its error stream, once that is closed."""
        return await self._tail

    async def end(self) -> None:
        """Leave nothing of the renderer and its kernel, however far they came."""
        if not self._renderer.ended:
            if self.took is None:  # it did not come to say so
                self.took = await to_the_end(weigh_at_end, self._renderer.pid)
            await to_the_end(end_tree, self._renderer.pid)
        await self._renderer.wait()
        self._tail.cancel()
        await asyncio.gather(self._tail, return_exceptions=True)


async def _tail(renderer: Renderer) -> bytes:
    tail = b""
    while piece := await renderer.errors.read(65_536):
        tail = (tail + piece)[-_TAIL_BYTES:]
    return tail
