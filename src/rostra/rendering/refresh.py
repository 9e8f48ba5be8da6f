"""Renders a document again: same bundle, same interpreter, a new revision. A failure keeps what visitors have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa

from rostra.content import beside, builds, deploy, items
from rostra.content.builds import Say
from rostra.content.deploy import Order, Work
from rostra.content.rebuild import rebuild
from rostra.content.tables import Item, Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.spec import Environment
from rostra.errors import Conflict, Problem
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.rendering import delivery, retention, variants
from rostra.rendering.delivery import Edition
from rostra.rendering.tables import Variant


class RenderVariant(Protocol):
    """Makes one rendering and returns its row, not yet stored. ``awaited``: a person asked for it."""

    async def __call__(
        self,
        work: Work,
        environment: Environment | None,
        say: Say,
        parameters: Mapping[str, Any] = {},
        *,
        awaited: bool = True,
    ) -> Rendering: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """One run. ``job`` names it for ever: a run that is repeated after a crash is not made twice.

    ``mail`` announces it to the variant's readers; ``activate`` False keeps it without showing it. ``scheduled``: those
    who watch the item hear of a failure.
    """

    guid: str
    variant_id: int
    job: str
    scheduled: bool = False
    mail: bool = False
    activate: bool = True


class NotADocument(Conflict):
    code = "not-a-document"

    def __init__(self, guid: str) -> None:
        super().__init__(f"content {guid} is not rendered", hint="Only documents that were deployed can be rendered.")


def check(item: Item) -> None:
    """Raises: NotADocument, ContentLocked."""
    items.check_unlocked(item)
    if item.live_bundle_id is None or by_name(item.kind).mode is not Mode.rendered:
        raise NotADocument(item.guid)


async def refresh(order: Refresh, tools: Tools, render: RenderVariant, say: Say) -> Rendering:
    """Carry the order out and return the new revision; promotion, mails and its row are one transaction.

    Raises:
        Problem: with what is wrong; the last revision stays, and who watches has mail when it was scheduled.
    """
    earlier = await _made(order, tools)
    if earlier is not None:
        say(f"Revision {earlier.id} was made before the server stopped")
        return earlier
    work, variant = await _begin(order, tools)
    try:
        rendering = await _render(work, variant, tools, partial(render, awaited=not order.scheduled), say)
    except Problem as why:
        if order.scheduled:
            async with transaction(tools.sessions) as session:
                await delivery.complain(session, tools, work.item, variant, why, job=order.job)
        raise
    await _promote(order, Edition(work.item, variant, rendering), tools, say)
    for folder in await retention.sweep(tools, order.guid):
        say(f"Removed {folder}, which is not kept any longer")
    return rendering


async def _made(order: Refresh, tools: Tools) -> Rendering | None:
    async with transaction(tools.reading) as session:
        wanted = sa.select(Rendering).where(Rendering.job_key == order.job)
        return (await session.execute(wanted)).scalar_one_or_none()


async def _begin(order: Refresh, tools: Tools) -> tuple[Work, Variant]:
    async with transaction(tools.reading) as session:
        variant, item = await variants.get(session, order.variant_id)
        check(item)
        bundle_id = item.live_bundle_id
    assert bundle_id is not None
    return await deploy.begin(Order(guid=order.guid, bundle_id=bundle_id), tools), variant


async def _render(work: Work, variant: Variant, tools: Tools, render: RenderVariant, say: Say) -> Rendering:
    say(f"Rendering {work.item.title or work.item.name} from bundle {work.bundle.id}")
    await deploy.unpacked(work, tools)
    source = builds.Source(work.manifest, work.kind, tools.places.app(work.item.guid, work.bundle.id))
    needed = beside.needs_python(work.kind, work.manifest)
    environment = await rebuild(source, work.bundle, tools, say) if needed else None
    return await render(work, environment, say, variant.parameters)


async def _promote(order: Refresh, edition: Edition, tools: Tools, say: Say) -> None:
    rendering, variant = edition.rendering, edition.variant
    rendering.job_key = order.job
    rendering.variant_id = None if variant.is_default else variant.id
    async with transaction(tools.sessions) as session:
        await variants.get(session, order.variant_id)  # it, or its item, may have been deleted meanwhile
        await items.add_rendering(session, rendering, active=order.activate)
        mails = 0
        if order.mail:
            mails = await delivery.announce(session, tools, edition, job=order.job)
    say(f"Revision {rendering.id} is at {delivery.revision_url(tools, edition)}")
    if mails:
        say(f"It is mailed to {mails} {'person' if mails == 1 else 'people'}")
