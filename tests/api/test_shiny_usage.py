"""Sessions of interactive content as clients page through them."""

import datetime as dt

import pytest
from support.api import World, item_of
from support.moments import NOON

from rostra.content import usage_sessions
from rostra.content.usage_sessions import Told
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
PATH = "v1/instrumentation/shiny/usage"


async def attend(world: World, guid: str, count: int = 1, *, user: str | None = "vic", minutes: int = 0) -> None:
    began = [NOON + dt.timedelta(minutes=minutes, seconds=number) for number in range(count)]
    person = world.users[user].guid if user else None
    told = [
        Told(key=f"{guid}/{at}", item=guid, user=person, began=at, ended=at + dt.timedelta(hours=1) if number else None)
        for number, at in enumerate(began)
    ]
    async with transaction(world.live.sessions) as session:
        await usage_sessions.store(session, told, NOON)


async def test_a_session_has_exactly_these_keys(world: World) -> None:
    guid = (await item_of(world))["guid"]
    await attend(world, guid, 2)
    (first, second) = (await world.client("ada").read(PATH))["results"]
    assert first == {
        "content_guid": guid,
        "user_guid": world.users["vic"].guid,
        "started": "2026-09-01T12:00:00Z",
        "ended": None,
        "data_version": 3,
    }
    assert second["ended"] == "2026-09-01T13:00:01Z"


@pytest.mark.parametrize("order", ["true", "false"])
async def test_following_next_gives_every_session_once(world: World, order: str) -> None:
    await attend(world, (await item_of(world))["guid"], 5)
    client, path, found = world.client("ada"), f"{PATH}?limit=2&asc_order={order}", []
    page = await client.read(path)
    last = page["paging"]["last"]
    while True:
        found += [row["started"][-3:-1] for row in page["results"]]
        cursor = page["paging"]["cursors"]["next"]
        if cursor is None:
            break
        page = await client.read(f"{path}&next={cursor}")
    assert found == (["00", "01", "02", "03", "04"] if order == "true" else ["04", "03", "02", "01", "00"])
    assert page["paging"]["next"] is None
    assert page["paging"]["cursors"]["previous"] is not None
    assert last.partition("next=")[2]


@pytest.mark.parametrize(
    ("name", "count", "why"),
    [("ada", 1, "her own item"), ("bob", 0, "another's item"), ("root", 1, "administrators see all")],
)
async def test_whose_use_one_may_see(world: World, name: str, count: int, why: str) -> None:
    await attend(world, (await item_of(world))["guid"])
    assert len((await world.client(name).read(PATH))["results"]) == count, why


@pytest.mark.parametrize(
    ("query", "count"),
    [("from=2026-09-01T12:00:01Z", 1), ("to=2026-09-01T12:00:01Z", 1), ("content_guid=unknown", 0), ("limit=1", 1)],
)
async def test_filters(world: World, query: str, count: int) -> None:
    await attend(world, (await item_of(world))["guid"], 2)
    assert len((await world.client("root").read(f"{PATH}?{query}"))["results"]) == count


async def test_a_bad_cursor_is_named(world: World) -> None:
    answer = await world.client("root").get(f"{PATH}?next=x")
    assert (answer.status_code, answer.json()["code"]) == (400, 25)
