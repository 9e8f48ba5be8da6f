"""The audit and usage over the API: who may ask, what comes back, and how one pages."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from environments.test_inventory import shelve
from support.api import World, item_of, live_item
from support.moments import NOON

from rostra.content import usage
from rostra.content.tables import Bundle
from rostra.content.usage import Seen
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


async def see(world: World, guid: str, count: int = 1, **more: object) -> None:
    now = world.clock.now()
    seen = [
        Seen(item=guid, user=world.users["vic"].guid, path=f"/content/{guid}/{n}", at=now, agent="t", **more)  # type: ignore[arg-type]
        for n in range(count)
    ]
    async with transaction(world.live.sessions) as session:
        await usage.store(session, seen)


async def test_the_audit_says_what_depends_on_each_version(world: World) -> None:
    item = await live_item(world, title="Sales")
    await see(world, item["guid"], 3)
    found = await world.client("root").read("v1/audit/runtimes")
    assert [(row["version"], row["state"], row["items"]) for row in found["versions"]] == [
        ("3.11.7", "active", 1),
        ("3.9.18", "active", 0),
        ("3.8.18", "retired", 0),
    ]
    row = found["items"][0]
    assert (row["title"], row["version"], row["visits_30_days"], row["owner"]) == ("Sales", "3.11.7", 3, "ada")
    assert row["link"].endswith(f"/connect/#/apps/{item['guid']}")
    assert (await world.client("root").read("v1/audit/runtimes?python=<3.10"))["items"] == []


async def test_the_audit_as_csv(world: World) -> None:
    await live_item(world, title="=Sales")
    answer = await world.client("root").get("v1/audit/runtimes?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "'=Sales" in answer.text.splitlines()[1]


async def test_environments_are_listed_with_what_needs_them(world: World) -> None:
    item = await live_item(world, title="=Sales")
    data = world.live.places.data_dir
    shelve(data, "used")
    shelve(data, "unused", version="3.9.18")
    await world.change(Bundle, environment_key="used")
    used, unused = await world.client("root").read("v1/audit/environments")
    assert (unused["key"], unused["items"], unused["used_at"]) == ("unused", [], None)
    assert (used["key"], used["python"], used["packages"]) == ("used", "3.11.7", 1)
    assert used["items"] == [{"guid": item["guid"], "title": "=Sales", "live": True}]
    assert used["own_bytes"] > 0
    answer = await world.client("root").get("v1/audit/environments?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["key"], row["items"]) for row in rows] == [("used", item["guid"]), ("unused", "")]


@pytest.mark.parametrize("name", ["ada", "vic"])
@pytest.mark.parametrize("what", ["runtimes", "environments"])
async def test_only_administrators_are_told(world: World, name: str, what: str) -> None:
    assert (await world.client(name).get(f"v1/audit/{what}")).status_code == 403


async def test_a_bad_format_of_environments_is_named(world: World) -> None:
    assert (await world.client("root").get("v1/audit/environments?format=pdf")).status_code == 400


@pytest.mark.parametrize("query", ["python=new", "unused_for=long", "format=pdf"])
async def test_a_bad_filter_is_named(world: World, query: str) -> None:
    answer = await world.client("root").get(f"v1/audit/runtimes?{query}")
    assert answer.status_code == 400
    assert query.split("=", maxsplit=1)[0] in answer.json()["error"]


async def test_hits_have_the_shape_clients_read(world: World) -> None:
    item = await item_of(world)
    await see(world, item["guid"])
    rows = await world.client("ada").read("v1/instrumentation/content/hits")
    assert rows == [
        {
            "id": rows[0]["id"],
            "user_guid": world.users["vic"].guid,
            "content_guid": item["guid"],
            "timestamp": "2026-09-01T12:00:00Z",
            "data": {"path": f"/content/{item['guid']}/0", "user_agent": "t"},
        }
    ]


async def test_people_see_the_use_of_what_they_look_after(world: World) -> None:
    mine, other = await item_of(world, "ada"), await item_of(world, "bob")
    for item in (mine, other):
        await see(world, item["guid"])

    async def told(name: str, query: str = "") -> list[str]:
        rows = await world.client(name).read(f"v1/instrumentation/content/hits{query}")
        return [row["content_guid"] for row in rows]

    assert await told("ada") == [mine["guid"]]
    assert await told("root") == [mine["guid"], other["guid"]]
    assert await told("root", f"?content_guid={other['guid']}") == [other["guid"]]
    assert await told("root", f"?content_guid={other['guid']}|{mine['guid']}") == [mine["guid"], other["guid"]]
    assert await told("ada", f"?content_guid={other['guid']}") == []
    assert await told("root", "?content_guid=unknown") == []
    assert (await world.client("vic").get("v1/instrumentation/content/hits")).status_code == 403


@pytest.mark.parametrize(
    ("query", "count", "why"),
    [
        ("from=2026-09-01", 1, "from its first moment"),
        ("to=2026-09-01", 1, "a day ends at its end"),
        ("to=2026-09-01T12:00:00Z", 0, "a moment is exclusive"),
        ("from=2026-09-01T13:00:00%2B02:00", 1, "any zone"),
        ("from=2026-09-02", 0, "the day after"),
    ],
)
async def test_between_two_moments(world: World, query: str, count: int, why: str) -> None:
    await see(world, (await item_of(world))["guid"])
    rows = await world.client("root").read(f"v1/instrumentation/content/hits?{query}")
    assert len(rows) == count, why


@pytest.mark.parametrize("query", ["from=yesterday", "to=9999-12-31"])
async def test_a_bad_moment_is_named(world: World, query: str) -> None:
    answer = await world.client("root").get(f"v1/instrumentation/content/hits?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(query.split("=", maxsplit=1)[0])


async def test_visits_are_of_what_the_server_shows(world: World) -> None:
    item = await item_of(world)
    await see(world, item["guid"])
    await see(world, item["guid"], bundle_id=7, rendering_id=9)
    page = await world.client("ada").read("v1/instrumentation/content/visits")
    assert [(row["bundle_id"], row["rendering_id"]) for row in page["results"]] == [("7", "9")]
    assert page["paging"]["next"] is None
    assert page["paging"]["cursors"] == {"next": None, "previous": None}


@pytest.mark.parametrize("order", ["true", "false"])
async def test_walking_through_pages_and_back(world: World, order: str) -> None:
    item = await item_of(world)
    await see(world, item["guid"], 5, bundle_id=1)
    client = world.client("ada")
    path = f"v1/instrumentation/content/visits?limit=2&asc_order={order}"
    pages, page = [], await client.read(path)
    while True:
        pages.append([row["path"][-1] for row in page["results"]])
        cursor = page["paging"]["cursors"]["next"]
        assert (cursor is None) == (page["paging"]["next"] is None)
        if cursor is None:
            break
        assert f"next={cursor}" in page["paging"]["next"]
        page = await client.read(f"{path}&next={cursor}")
    expected = [["0", "1"], ["2", "3"], ["4"]] if order == "true" else [["4", "3"], ["2", "1"], ["0"]]
    assert pages == expected
    back = await client.read(f"{path}&previous={page['paging']['cursors']['previous']}")
    assert [row["path"][-1] for row in back["results"]] == expected[1]
    assert (await client.get(f"{path}&next=x")).status_code == 400


async def test_an_old_visit_is_not_new(world: World) -> None:
    item = await item_of(world)
    await see(world, item["guid"])
    world.clock.move(days=40)
    found = await world.client("root").read("v1/audit/runtimes")
    assert found["made_at"] == (NOON + dt.timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%SZ")
