"""What administrators look at: the server, its runtimes, its audit log, its tags."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from environments.test_inventory import shelve
from support.browsing import browser
from support.controlling import World

from rostra.content.tables import Bundle
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


async def test_the_checks_are_run_and_shown(world: World) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/server")
        assert "They have not been run yet." in root.page
        await root.submit("/server/checks")
        assert "The checks have been run." in root.page
        assert "A writing transaction was begun and committed." in root.page


async def test_the_settings_in_force_are_shown_with_their_source_and_without_secrets(world: World) -> None:
    async with browser(world, "root") as root:
        page = await root.open("/connect/server/settings")
        assert "rostra.gcfg:2" in page
        assert "DataDir" in page
    async with browser(world, "ada") as ada:
        assert (await ada.client.get("/connect/server/settings")).status_code == 403


async def test_the_audit_log_is_read_in_pages_and_entry_by_entry(world: World) -> None:
    guid = await world.item(title="Sales")
    for number in range(60):
        await world.api("PATCH", f"content/{guid}", {"description": f"Text {number}"})
    async with browser(world, "root") as root:
        first = await root.open("/connect/audit?action=change_content")
        assert ("Text 59" in first, "Text 5<" in first, "Older" in first) == (True, False, True)
        older = first.split("Older")[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
        assert "Text 3" in await root.open(older)
        entry = first.partition("/connect/audit/")[2].partition('"')[0]
        page = await root.open(f"/connect/audit/{entry}")
        assert "Text 58" in page
        assert "Text 59" in page
        assert (await root.client.get("/connect/audit?next=nonsense")).status_code == 400


async def test_tags_are_made_renamed_and_deleted(world: World) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/tags")
        await root.submit("/tags/new", {"name": "Area"})
        (area,) = await world.api("GET", "tags")
        await root.submit("/tags/new", {"name": "North", "parent": area["id"]})
        await root.submit("/tags/new", {"name": "North", "parent": area["id"]})
        assert root.status == 409
        await root.submit("/tags/rename", {"name": "Region"}, tag=area["id"])
        assert [tag["name"] for tag in await world.api("GET", "tags")] == ["Region", "North"]
        await root.submit("/tags/delete", tag=area["id"])
    assert await world.api("GET", "tags") == []


async def test_a_publisher_can_make_no_tag(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/")
        token = ada.form("/__logout__").fields["xsrf"]
        answer = await ada.client.post("/connect/tags/new", data={"xsrf": token, "name": "Mine"})
        assert answer.status_code == 403
    assert await world.api("GET", "tags") == []


async def test_the_queue_says_when_nothing_waits(world: World) -> None:
    async with browser(world, "root") as root:
        assert "Nothing waits" in await root.open("/connect/server/queue")


async def test_content_is_listed_with_its_python_and_its_use(world: World) -> None:
    guid = await world.published(title="Sales by week")
    async with browser(world, "root") as root:
        page = await root.open("/connect/runtimes")
        assert f"/connect/apps/{guid}" in page
        assert "Rehearse taking one away" in page
        await root.submit("/runtimes/rehearse", {"retire": "not a version"})
        assert root.status == 400
    async with browser(world, "ada") as ada:
        page = await ada.open("/connect/runtimes")
        assert (ada.status, "Rehearse" in page, guid in page) == (200, False, False)


async def test_environments_are_listed_for_administrators(world: World) -> None:
    guid = await world.published(title="Sales by week")
    async with browser(world, "root") as root:
        assert "/connect/runtimes/environments" in await root.open("/connect/runtimes")
        assert "No environment yet" in await root.open("/connect/runtimes/environments")
        shelve(world.house.folder, "deadbeef")
        shelve(world.house.folder, "0123456789abcdef", version="3.9.18")
        async with transaction(world.control.tools.sessions) as session:
            await session.execute(sa.update(Bundle).values(environment_key="deadbeef"))
        page = await root.open("/connect/runtimes/environments")
        assert f'<a href="/connect/apps/{guid}">Sales by week</a>' in page
        assert page.index("deadbeef") < page.index("0123456789ab")
        assert "2 environments" in page
    async with browser(world, "ada") as ada:
        assert "/connect/runtimes/environments" not in await ada.open("/connect/runtimes")
        assert (await ada.client.get("/connect/runtimes/environments")).status_code == 403


async def test_the_disk_is_told_with_database_and_content(world: World) -> None:
    guid = await world.published(title="Sales by week")
    log = world.house.folder / "jobs" / guid / "k.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"x" * 2_000_000)
    async with browser(world, "root") as root:
        page = await root.open("/connect/server")
        assert '<td class="mono">database</td>' in page
        assert "logs 2.0 MB" in page


async def test_a_rehearsal_is_begun_and_followed(world: World) -> None:
    guid = await world.published(title="Sales by week")
    async with browser(world, "root") as root:
        await root.open("/connect/runtimes")
        await root.submit("/runtimes/rehearse", {"retire": "3.11", "depth": "match"})
        assert "Without Python 3.11" in root.page
        (made,) = await world.api("GET", "rehearsals", name="root")
        await world.finished(made["task_id"], "root")
        page = await root.open(f"/connect/runtimes/rehearsals/{made['id']}")
        assert f"/connect/apps/{guid}" in page
        assert "impossible" in page
        assert "without Python 3.11" in await root.open("/connect/runtimes")


async def test_the_list_is_searched_and_shows_what_one_may_visit(world: World) -> None:
    await world.item("acl", title="Sales by week")
    await world.item("logged_in", title="Stock levels")
    async with browser(world, "ada") as ada:
        page = await ada.open("/connect/?q=SALES+week")
        assert ("Sales by week" in page, "Stock levels" in page) == (True, False)
        assert "Nothing fits" in await ada.open("/connect/?q=zzz")
    async with browser(world, "vic") as vic:
        page = await vic.open("/connect/")
        assert ("Stock levels" in page, "Sales by week" in page) == (True, False)
    async with browser(world, "bob") as bob:
        assert "Stock levels" not in await bob.open("/connect/")
        assert "Stock levels" in await bob.open("/connect/?show=all")


async def test_a_page_of_use_counts_who_opened_what(world: World) -> None:
    guid = await world.static({"index.html": "<p>x</p>"}, access="all")
    await world.get(f"/content/{guid}/", "vic", accept="text/html")
    async with browser(world, "ada") as ada:
        page = await ada.open(f"/connect/apps/{guid}/usage")
        assert ada.status == 200
        assert "in 30 days" in page
