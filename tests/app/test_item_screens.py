"""What the pages of an item change, through a browser without script, as the API and the audit log see it then."""

from __future__ import annotations

import datetime as dt
import struct
import zlib

import pytest
from support.browsing import browser
from support.controlling import World

from rostra.db.engine import transaction
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio


def png() -> bytes:
    """The smallest picture: one black dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


async def last_entry(world: World) -> dict[str, str]:
    return (await world.api("GET", "audit_logs?limit=1", name="root"))["results"][0]


async def test_who_may_visit_is_changed_and_is_in_the_audit_log(world: World) -> None:
    guid = await world.item("acl")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/access")
        assert ada.form("/audience").fields["access_type"] == "acl"
        page = await ada.submit("/audience", {"access_type": "logged_in"})
    assert "Saved." in page
    assert (await world.api("GET", f"content/{guid}"))["access_type"] == "logged_in"
    entry = await last_entry(world)
    assert (entry["user_description"], entry["action"]) == ("ada", "change_content")
    assert '"acl" → "logged_in"' in entry["event_description"]


async def test_access_is_given_changed_and_taken_away(world: World) -> None:
    guid = await world.item("acl")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/access")
        await ada.submit("/give", {"name": "BOB", "role": "viewer"})
        assert "Access was given." in ada.page
        await ada.submit("/give", {"role": "owner"}, name="bob")
        assert [one["role"] for one in await world.api("GET", f"content/{guid}/permissions")] == ["owner"]
        await ada.submit("/take")
        assert await world.api("GET", f"content/{guid}/permissions") == []
    assert (await last_entry(world))["action"] == "delete_permission"


async def test_a_group_is_given_access(world: World) -> None:
    guid, group = await world.item("acl"), await world.api("POST", "groups", {"name": "Analysts"})
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/access")
        await ada.submit("/give", {"name": "analysts", "role": "viewer"})
        assert "Analysts" in ada.page
    assert [one["principal_guid"] for one in await world.api("GET", f"content/{guid}/permissions")] == [group["guid"]]


@pytest.mark.parametrize(
    ("name", "role", "says"),
    [
        ("nobody", "viewer", "nobody and no group called"),
        ("vic", "owner", "viewer"),
        ("ada", "viewer", "owner"),
    ],
)
async def test_what_cannot_be_given_is_said_on_the_page(world: World, name: str, role: str, says: str) -> None:
    guid = await world.item("acl")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/access")
        await ada.submit("/give", {"name": name, "role": role})
        assert ada.status in {400, 403, 409}
        assert 'role="alert"' in ada.page
        assert says in ada.page
        assert ada.form("/give").fields["name"] == name
    assert await world.api("GET", f"content/{guid}/permissions") == []


async def test_who_may_only_visit_sees_no_form_and_can_send_none(world: World) -> None:
    guid = await world.item("logged_in")
    async with browser(world, "vic") as vic, browser(world, "ada") as ada:
        await vic.open(f"/connect/apps/{guid}")
        assert vic.status == 200
        assert "/access" not in vic.page
        for page in ("access", "variables", "settings"):
            assert (await vic.client.get(f"/connect/apps/{guid}/{page}")).status_code == 403
        await ada.open(f"/connect/apps/{guid}/access")
        token = vic.form("/__logout__").fields["xsrf"]
        sent = await vic.client.post(
            f"/connect/apps/{guid}/access/audience", data={"xsrf": token, "access_type": "all"}
        )
        assert sent.status_code == 403
    assert (await world.api("GET", f"content/{guid}"))["access_type"] == "logged_in"


async def test_a_form_without_its_token_changes_nothing(world: World) -> None:
    guid = await world.item("acl")
    async with browser(world, "ada") as ada:
        for token in ("", "guess"):
            sent = {"xsrf": token, "access_type": "all"}
            answer = await ada.client.post(f"/connect/apps/{guid}/access/audience", data=sent)
            assert answer.status_code == 403
    assert (await world.api("GET", f"content/{guid}"))["access_type"] == "acl"


async def test_variables_are_set_and_removed_and_their_values_never_shown(world: World) -> None:
    guid = await world.item()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/variables")
        assert "No variables" in ada.page
        await ada.submit("/set", {"name": "TOKEN", "value": "se cret\r\nline two"})
        assert "The variable is set" in ada.page
        assert "TOKEN" in ada.page
        assert "cret" not in ada.page.replace("secret", "")
        assert await world.api("GET", f"content/{guid}/environment") == ["TOKEN"]
        await ada.submit("/remove", name="TOKEN")
    assert await world.api("GET", f"content/{guid}/environment") == []
    assert "cret" not in str(await last_entry(world))


async def test_a_name_that_is_no_variable_is_refused_with_one_sentence(world: World) -> None:
    guid = await world.item()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/variables")
        await ada.submit("/set", {"name": "PATH", "value": "/tmp"})
        assert ada.status == 409
        assert "PATH" in ada.page
        assert ada.form("/set").fields["name"] == "PATH"


async def test_title_and_description_are_changed(world: World) -> None:
    guid = await world.item(title="Old title")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/about", {"title": "Sales by week", "description": "Two\r\nlines"})
        assert "Sales by week" in ada.page
        await ada.submit("/about", {"title": "x"})
        assert ada.status == 400
        assert ada.form("/about").fields["title"] == "x"
    content = await world.api("GET", f"content/{guid}")
    assert (content["title"], content["description"]) == ("Sales by week", "Two\nlines")


async def test_process_settings_are_set_and_left_to_the_server_again(world: World) -> None:
    guid = await world.published()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/processes", {"max_processes": "2", "load_factor": "0.8", "memory_limit": "512"})
        content = await world.api("GET", f"content/{guid}")
        assert (content["max_processes"], content["load_factor"]) == (2, 0.8)
        assert content["memory_limit"] == 512_000_000
        assert ada.form("/processes").fields["memory_limit"] == "512"
        for field, text in (("max_processes", "many"), ("max_processes", "0"), ("load_factor", "7")):
            await ada.open(f"/connect/apps/{guid}/settings")
            await ada.submit("/processes", {field: text})
            assert ada.status == 400
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/processes", {"max_processes": "", "load_factor": "", "memory_limit": ""})
    assert (await world.api("GET", f"content/{guid}"))["max_processes"] is None


async def test_an_item_gets_a_path_and_loses_it(world: World) -> None:
    guid, other = await world.item(), await world.item()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/path", {"path": "sales/weekly"})
        assert ada.form("/path").fields["path"] == "/sales/weekly/"
        await ada.open(f"/connect/apps/{other}/settings")
        await ada.submit("/path", {"path": "/sales/weekly/"})
        assert ada.status == 409
        await ada.submit("/path", {"path": "/sales/weekly/", "force": "on"})
        assert (await world.api("GET", f"content/{other}/vanity"))["path"] == "/sales/weekly/"
        await ada.submit("/path", {"path": ""})
        assert await world.api("GET", "vanities") == []


async def test_tags_are_chosen_from_the_tree(world: World) -> None:
    guid = await world.item()
    top = await world.api("POST", "tags", {"name": "Area"}, "root")
    north = await world.api("POST", "tags", {"name": "North", "parent_id": top["id"]}, "root")
    city = await world.api("POST", "tags", {"name": "City", "parent_id": north["id"]}, "root")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/tags", {f"tag-{city['id']}": "on"})
        assert {tag["name"] for tag in await world.api("GET", f"content/{guid}/tags")} == {"North", "City"}
        await ada.submit("/tags", {f"tag-{north['id']}": None, f"tag-{city['id']}": None})
    assert await world.api("GET", f"content/{guid}/tags") == []


async def test_a_picture_is_uploaded_and_removed(world: World) -> None:
    guid = await world.static({"index.html": "x"})
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.send_file("/picture", "file", png())
        assert (ada.status, "Saved." in ada.page) == (200, True)
        assert (await ada.client.get(f"/content/{guid}/__thumbnail__")).content == png()
        await ada.send_file("/picture", "file", b"not a picture")
        assert ada.status == 400
        await ada.submit("/no-picture")
        assert (await ada.client.get(f"/content/{guid}/__thumbnail__")).status_code == 204


async def test_content_is_given_to_somebody_else(world: World) -> None:
    guid = await world.item("acl")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/owner", {"owner": "bob"})
        assert (ada.status, ada.at.partition("?")[0]) == (200, "/connect/")
    assert (await world.api("GET", f"content/{guid}?include=owner", name="root"))["owner"]["username"] == "bob"


async def test_content_is_locked_with_a_word_to_visitors_and_unlocked(world: World) -> None:
    guid = await world.static({"index.html": "x"})
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/lock", {"message": "Closed until Monday."})
        assert "Closed until Monday." in (await world.get(f"/content/{guid}/", accept="text/html")).text
        await ada.submit("/unlock")
    assert (await world.get(f"/content/{guid}/", accept="text/html")).status_code == 200


async def test_deleting_needs_the_title(world: World) -> None:
    guid = await world.item(title="Sales")
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/settings")
        await ada.submit("/delete", {"name": "sales?"})
        assert ada.status == 400
        assert (await world.api("GET", f"content/{guid}"))["title"] == "Sales"
        await ada.submit("/delete", {"name": "Sales"})
        assert "Deleted." in ada.page
    assert (await world.get(f"/__api__/v1/content/{guid}", "ada")).status_code == 404


async def test_a_collaborator_may_neither_lock_nor_give_away(world: World) -> None:
    guid, bob = await world.item("acl"), (await world.api("GET", "user", name="bob"))["guid"]
    await world.api("POST", f"content/{guid}/permissions", {"principal_guid": bob, "role": "owner"})
    async with browser(world, "bob") as other:
        await other.open(f"/connect/apps/{guid}/settings")
        assert (other.status, "/settings/lock" in other.page, "/settings/owner" in other.page) == (200, False, False)
        token = other.form("/about").fields["xsrf"]
        sent = await other.client.post(f"/connect/apps/{guid}/settings/lock", data={"xsrf": token})
        assert sent.status_code == 403


async def test_versions_are_made_live_downloaded_and_deleted(world: World) -> None:
    guid = await world.published()
    first = (await world.api("GET", f"content/{guid}"))["bundle_id"]
    await world.deploy(guid, await world.upload(guid))
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}")
        address = f"/__api__/v1/content/{guid}/bundles/{first}/download"
        assert address in ada.page
        assert (await ada.client.get(address)).headers["content-type"] == "application/gzip"
        await ada.submit("/activate", bundle=first)
        assert "/tasks/" in ada.at
        await world.finished(ada.at.rpartition("/")[2])
        assert (await world.api("GET", f"content/{guid}"))["bundle_id"] == first
        await ada.open(f"/connect/apps/{guid}")
        await ada.submit("/delete-version")
        assert "Deleted." in ada.page
    assert [bundle["id"] for bundle in await world.api("GET", f"content/{guid}/bundles")] == [first]


async def test_processes_are_ended_one_by_one_and_all_at_once(world: World) -> None:
    guid = await world.published()
    first = world.running(guid)
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}")
        await ada.submit("/end-job", job=first[0])
        assert "The process was ended." in ada.page
        assert first[0] not in world.running(guid)
        await world.control.visits.process(world.pool(guid))
        second = world.running(guid)
        while second[0] not in await ada.open(f"/connect/apps/{guid}"):  # its record is written a moment later
            pass
        await ada.submit("/restart")
        assert "Its processes were ended." in ada.page
    assert not set(second) & set(world.running(guid))
    assert (await last_entry(world))["action"] == "restart_content"


@pytest.mark.parametrize("where", ["", "/logs", "task"])
async def test_a_render_that_waits_can_be_stopped_on_its_pages(world: World, where: str) -> None:
    guid, now = await world.document(), world.house.clock.now()
    async with transaction(world.control.tools.sessions) as session:  # another server is busy with the same document
        busy = Task(id="busy", kind="elsewhere", payload={}, subject=guid, created_at=now, started_at=now)
        busy.worker, busy.leased_until = "elsewhere/0", now + dt.timedelta(days=1)
        session.add(busy)
    async with browser(world, "ada") as ada:
        assert "It is being rendered" not in await ada.open(f"/connect/apps/{guid}")
        await ada.submit("/render")
        task = ada.at.rpartition("/")[2]
        page = await ada.open(f"/connect/tasks/{task}" if where == "task" else f"/connect/apps/{guid}{where}")
        assert ("It is being rendered" in page) == (not where)
        await ada.submit("/end-job")
        assert "Stopped." in ada.page
        assert (f"/connect/tasks/{task}" in ada.at) == (where == "task"), "who looks at the task goes on looking at it"
        assert "It is being rendered" not in await ada.open(f"/connect/apps/{guid}")
    done = await world.finished(task)
    assert done["code"] != 0
    assert "topped" in done["error"]


async def test_deploying_again_begins_a_task_and_is_in_the_audit_log(world: World) -> None:
    guid = await world.published()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}")
        await ada.submit("/rebuild")
        assert (await world.finished(ada.at.rpartition("/")[2]))["code"] == 0
    assert (await last_entry(world))["action"] == "deploy_content"
