"""A live document, its renderings and its schedule in the API's world."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rostra.content import items
from rostra.content.tables import Rendering
from rostra.db.engine import transaction
from support import api


async def document(world: api.World, name: str = "ada", **fields: Any) -> Any:
    """Return a notebook with one live bundle, as the API shows it."""
    made = await api.item_of(world, name, **fields)
    client = world.client(name)
    packed = api.bundle(kind="jupyter-static", entrypoint="report.ipynb")
    uploaded = await client.made(f"v1/content/{made['guid']}/bundles", packed)
    await client.made(f"v1/content/{made['guid']}/deploy", {"bundle_id": uploaded["id"]})
    await world.play("Building")
    return await client.read(f"v1/content/{made['guid']}")


async def rendered(
    world: api.World, guid: str, *, variant_id: int | None = None, at: dt.datetime | None = None, active: bool = True
) -> int:
    """Store a rendering as a worker would; return its id."""
    async with transaction(world.live.sessions) as session:
        item = await items.get(session, guid)
        row = Rendering(
            item_id=item.id,
            bundle_id=item.live_bundle_id or 0,
            path=f"renderings/{guid}/r{variant_id or 0}",
            primary="index.html",
            rendered_at=at or world.clock.now(),
            duration_ms=1500,
            variant_id=variant_id,
        )
        await items.add_rendering(session, row, active=active)
        return row.id
