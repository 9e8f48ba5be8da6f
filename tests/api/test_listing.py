"""Lists take a few queries, however many items there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from support import api

from rostra.content.tables import Bundle, Item, ItemTag, Permission, Tag
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio

FEW, MANY = 30, 1200  # many is more than any page, and more than what one statement was once given
GRANTED = 200
LISTS = (
    "v1/content",
    "v1/content?include=owner,tags,vanity_url,bookmarked,schedule",
    "v1/content?name=n7",
    "v1/search/content?page_size=500&include=owner,tags",
    "v1/search/content?q=Item&page_size=500",
    "applications?count=500",
    "v1/vanities",
    "v1/packages",
)


def guid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


async def fill(world: api.World, first: int, last: int) -> None:
    """Add items of ada's, numbered from ``first``, each live and tagged; the first 200 are shown to vic."""
    now = world.clock.now()
    stamp = {"created_at": now, "updated_at": now}
    ada, vic = world.users["ada"].id, world.users["vic"].id
    texts = dict.fromkeys(("description", "content_category", "locked_message"), "")
    built = {"size": 1, "md5": "", "sha1": "", "sha256": "", "kind": "static", "manifest": {}, "metadata_": {}}
    numbers = range(first, last + 1)
    async with transaction(world.live.sessions) as session:
        if await session.get(Tag, 1) is None:
            session.add_all([Tag(id=1, name="All", **stamp), Tag(id=2, name="leaf", parent_id=1, **stamp)])
            await session.flush()
        items = [
            {"id": n, "guid": guid_of(n), "name": f"n{n}", "title": f"Item {n}", "kind": "static", "settings": {}}
            | {"owner_id": ada, "live_bundle_id": n, "vanity_path": f"/v{n}/", **stamp, **texts}
            for n in numbers
        ]
        await session.execute(sa.insert(Item), items)
        bundles = [{"id": n, "item_id": n, "created_at": now, "state": "built", **built} for n in numbers]
        await session.execute(sa.insert(Bundle), bundles)
        await session.execute(sa.insert(ItemTag), [{"item_id": n, "tag_id": 2} for n in numbers])
        shown = [{"item_id": n, "user_id": vic, "role": "viewer"} for n in numbers if n <= GRANTED]
        if shown:
            await session.execute(sa.insert(Permission), shown)


@contextmanager
def counted(engine: AsyncEngine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def asked(world: api.World, engine: AsyncEngine, name: str) -> dict[str, int]:
    """Return how many queries each list takes for that person."""
    client, found = world.client(name), {}
    await client.read("v1/user")  # the first use of a key is written down
    for path in LISTS:
        with counted(engine) as seen:
            await client.read(path)
        found[path] = len(seen)
    return found


async def test_more_items_take_no_more_queries(world: api.World, engine: AsyncEngine) -> None:
    people = ("root", "ada", "vic")
    await fill(world, 1, FEW)
    few = {name: await asked(world, engine, name) for name in people}
    await fill(world, FEW + 1, MANY)
    many = {name: await asked(world, engine, name) for name in people}
    assert many == few
    assert max(count for each in many.values() for count in each.values()) <= 15


async def test_a_viewer_is_listed_what_was_shown_to_them(world: api.World) -> None:
    await fill(world, 1, MANY)
    assert len(await world.client("root").read("v1/content")) == MANY
    assert len(await world.client("vic").read("v1/content")) == GRANTED
    assert (await world.client("vic").read("v1/search/content?q=Item&page_size=1"))["total"] == GRANTED
    assert await world.client("bob").read("v1/content") == []


@pytest.mark.parametrize("name", ["root", "ada", "vic"])
@pytest.mark.parametrize("include", ["", "owner,tags,vanity_url,bookmarked,schedule"])
async def test_a_list_is_byte_for_byte_what_each_of_its_items_is(world: api.World, name: str, include: str) -> None:
    await fill(world, 1, FEW)
    async with transaction(world.live.sessions) as session:
        odd = {"title": 'Größe \u2028 <"\\>', "cpu_limit": 0.1, "load_factor": 2.0, "description": "\t\x7f"}
        await session.execute(sa.update(Item).where(Item.id == 3).values(**odd))
        kept = {"extension": True, "amd_gpu_limit": 2, "otel_enabled": False}
        await session.execute(sa.update(Item).where(Item.id == 4).values(live_bundle_id=None, settings=kept))
    client = world.client(name)
    whole = (await client.get(f"v1/content?include={include}")).content
    guids = [guid_of(number) for number in range(FEW, 0, -1)]
    each = [(await client.get(f"v1/content/{guid}?include={include}")).content for guid in guids]
    assert whole == b"[" + b",".join(each) + b"]"
