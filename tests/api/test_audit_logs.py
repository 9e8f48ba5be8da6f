from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from api.test_users import bootstrap_token
from support.api import World, item_of, live_item

from rostra.auth.tables import User
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


async def entries(world: World, query: str = "") -> Any:
    return (await world.client("root").read(f"v1/audit_logs?limit=500&{query}"))["results"]


async def test_a_change_is_written_with_who_and_what(world: World) -> None:
    item = await item_of(world, title="Sales")
    await world.client("ada").ask("PATCH", f"v1/content/{item['guid']}", {"title": "More sales"})
    first = (await entries(world))[0]
    assert list(first) == ["id", "time", "user_id", "user_guid", "user_description", "action", "event_description"]
    assert (first["action"], first["user_guid"]) == ("change_content", world.users["ada"].guid)
    assert '"Sales" → "More sales"' in first["event_description"]
    whole = await world.client("root").read(f"v1/audit_logs/{first['id']}")
    assert whole["subject"] == item["guid"]
    assert (whole["rows"][0]["before"]["title"], whole["rows"][0]["after"]["title"]) == ("Sales", "More sales")


async def test_what_changes_nothing_is_not_written(world: World) -> None:
    item = await item_of(world)
    before = await entries(world)
    ada = world.client("ada")
    await ada.ask("PATCH", f"v1/content/{item['guid']}", {})
    await ada.ask("PATCH", f"v1/content/{item['guid']}", {"title": "x"})  # refused: too short
    await ada.read("v1/content")
    assert await entries(world) == before


async def test_secrets_are_named_and_never_kept(world: World) -> None:
    item, ada = await item_of(world), world.client("ada")
    await ada.ask("PATCH", f"v1/content/{item['guid']}/environment", [{"name": "TOKEN", "value": "hush"}])
    await ada.made(f"v1/users/{world.users['ada'].guid}/keys", {"name": "k"})
    told = [await world.client("root").read(f"v1/audit_logs/{row['id']}") for row in (await entries(world))[:2]]
    assert [row["action"] for row in told] == ["create_key", "merge_variables"]
    assert '"TOKEN"' in told[1]["event_description"]
    assert "hush" not in str(told)
    assert told[0]["rows"][0]["after"]["key_hash"] == "…"


async def test_a_deploy_is_written(world: World) -> None:
    item = await live_item(world)
    actions = [row["action"] for row in await entries(world)]
    assert actions[:3] == ["deploy_content", "upload_bundle", "create_content"]
    assert item["guid"] in (await entries(world))[0]["event_description"]


async def test_pages_are_followed_both_ways(world: World) -> None:
    for number in range(7):
        await item_of(world, title=f"item {number}")
    root = world.client("root")
    page = await root.read("v1/audit_logs?limit=3")
    assert list(page) == ["paging", "results"]
    assert list(page["paging"]) == ["cursors", "first", "previous", "next", "last"]
    assert page["paging"]["previous"] is page["paging"]["cursors"]["previous"] is None
    seen = [page]
    while (address := seen[-1]["paging"]["next"]) is not None:
        parts = urlsplit(address)
        seen.append(await root.read(f"{parts.path.partition('/__api__/')[2]}?{parts.query}"))
    numbers = [int(row["id"]) for one in seen for row in one["results"]]
    assert numbers == sorted(numbers, reverse=True)
    assert (len(numbers), len(seen)) == (7, 3)
    back = await root.read(f"v1/audit_logs?limit=3&previous={seen[1]['paging']['cursors']['previous']}")
    assert back["results"] == page["results"]
    assert back["paging"]["cursors"]["previous"] is None
    last = urlsplit(page["paging"]["last"])
    assert [row["id"] for row in (await root.read(f"v1/audit_logs?{last.query}"))["results"]] == ["3", "2", "1"]


@pytest.mark.parametrize("query", ["ascOrder=true", "asc_order=true"])
async def test_the_oldest_come_first_when_asked(world: World, query: str) -> None:
    for number in range(3):
        await item_of(world, title=f"item {number}")
    assert [row["id"] for row in await entries(world, query)] == ["1", "2", "3"]


@pytest.mark.parametrize("cursor", ["x", "YXVkaXQ6eA==", "%ff", "YXVkaXQ6LTE="])
async def test_a_made_up_cursor_is_refused(world: World, cursor: str) -> None:
    assert (await world.client("root").get(f"v1/audit_logs?next={cursor}")).status_code == 400


@pytest.mark.parametrize(("name", "status"), [("ada", 403), ("vic", 403), (None, 401)])
async def test_only_administrators_read_it(world: World, name: str | None, status: int) -> None:
    assert (await world.client(name).get("v1/audit_logs")).status_code == status


async def test_every_action_is_listed_with_what_it_is(world: World) -> None:
    actions = {row["action"]: row["description"] for row in await world.client("root").read("v1/audit/actions")}
    assert {"create_content", "change_content", "upload_bundle", "claim_token"} <= actions.keys()
    assert "get_content" not in actions
    assert all(actions.values())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["change_content", "create_content"]),
        ("order=asc", ["create_content", "change_content"]),
        ("q=SALES", ["change_content"]),
        ("q=%25", []),
        ("action=create_content|nothing", ["create_content"]),
        ("user_guid=unknown", []),
        ("from=2026-09-01T12:30:00Z", ["change_content"]),
        ("to=2026-09-01T12:30:00Z", ["create_content"]),
        ("page_size=1&page_number=2", ["create_content"]),
    ],
)
async def test_the_log_is_searched(world: World, query: str, found: list[str]) -> None:
    ada = world.client("ada")
    made = await ada.made("v1/content", {})
    world.clock.move(hours=1)
    await ada.ask("PATCH", f"v1/content/{made['guid']}", {"title": "Sales by region"})
    page = await world.client("root").read(f"v1/search/auditlogs?{query}")
    assert [row["action"] for row in page["results"]] == found
    subject = await world.client("root").read(f"v1/search/auditlogs?subject={made['guid']}")
    assert [row["action"] for row in subject["results"]] == ["change_content"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from=2026-09-01T12:30:00Z", ["change_content"]),
        ("to=2026-09-01T12:30:00Z&action=create_content", ["create_content"]),
        ("from=2026-09-01&to=2026-09-01&limit=2", ["change_content", "create_content"]),
        ("from=2026-09-02", []),
    ],
)
async def test_a_page_is_of_a_span_of_time(world: World, query: str, found: list[str]) -> None:
    made = await world.client("ada").made("v1/content", {})
    world.clock.move(hours=1)
    await world.client("ada").ask("PATCH", f"v1/content/{made['guid']}", {"title": "Sales"})
    page = await world.client("root").read(f"v1/audit_logs?{query}")
    assert [row["action"] for row in page["results"]] == found


async def test_a_moment_that_is_none_is_named(world: World) -> None:
    answer = await world.client("root").get("v1/audit_logs?from=yesterday")
    assert answer.status_code == 400
    assert "from" in answer.json()["error"]


async def test_the_first_administrator_is_written(world: World) -> None:
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.delete(User))
    made = await world.client(authorization=bootstrap_token()).post("v1/bootstrap")
    root = world.client(authorization=f"Key {made.json()['api_key']}")
    entry = (await root.read("v1/audit_logs?limit=1"))["results"][0]
    whole = await root.read(f"v1/audit_logs/{entry['id']}")
    assert (entry["action"], entry["user_description"]) == ("bootstrap", "system")
    assert {row["table"] for row in whole["rows"]} >= {"users", "api_keys"}
    assert made.json()["api_key"] not in str(whole)
