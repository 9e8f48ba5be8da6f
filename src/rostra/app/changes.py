"""What happens after a change was committed: gateways hear of it first, then the pools, and what is deleted goes."""

from __future__ import annotations

from dataclasses import dataclass

from rostra.app.rendering import Renderer
from rostra.app.visits import Visits
from rostra.content import items
from rostra.content.processes import Processes
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.jobs.tasks import Tasks

PURGE = "purge"  # the kind of task that removes a deleted item


@dataclass(frozen=True, slots=True)
class Changes:
    """Called by whoever changed something, after the commit and before the answer."""

    tools: Tools
    tasks: Tasks
    processes: Processes
    visits: Visits
    renderer: Renderer

    async def of_item(self, guid: str) -> None:
        """Let visits and processes follow what an item is now. Who lost access loses it with the first line of this."""
        await self.visits.item_changed(guid)
        await self.processes.refresh(guid)
        await self.renderer.follow(guid)
        async with transaction(self.tools.reading) as session:
            there = await items.find(session, guid) is not None
        if not there:
            await self._purge(guid)

    def of_credential(self) -> None:
        """Let nobody come in by what was remembered of a key, a session or a person."""
        self.visits.credential_changed()

    async def _purge(self, guid: str) -> None:
        # A task, because those of one item take turns: a deploy that runs now must not find its files gone.
        async with transaction(self.tools.sessions) as session:
            await self.tasks.enqueue(session, PURGE, {"guid": guid}, subject=guid)
