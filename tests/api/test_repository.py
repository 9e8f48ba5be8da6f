"""The routes of content from Git; what the tasks do is played."""

from __future__ import annotations

from typing import Any

import pytest
from support.api import World, bundle, item_of, live_item

pytestmark = pytest.mark.anyio
URL = "https://git.example.org/team/project"
NOTHING = {"last_error": None, "last_known_commit": None, "last_fetched_time": None}


async def linked(world: World, **more: Any) -> str:
    guid = str((await item_of(world))["guid"])
    answer = await world.client("ada").ask("PUT", f"v1/content/{guid}/repository", {"repository": URL, **more})
    assert answer.status_code == 200, answer.text
    return guid


async def test_a_repository_is_set_read_changed_and_removed(world: World) -> None:
    client, guid = world.client("ada"), (await item_of(world))["guid"]
    path = f"v1/content/{guid}/repository"
    assert (await client.get(path)).json()["code"] == 4
    expected = {"repository": URL, "branch": "main", "directory": ".", "polling": False, **NOTHING}
    assert (await client.ask("PUT", path, {"repository": URL})).json() == expected
    assert await client.read(path) == expected
    changed = (await client.ask("PATCH", path, {"branch": "next", "directory": "/a/b/", "polling": True})).json()
    assert changed == {**expected, "branch": "next", "directory": "a/b", "polling": True}
    assert (await client.ask("PUT", path, {"repository": f"{URL}2"})).json() == {**expected, "repository": f"{URL}2"}
    for _ in range(2):
        assert (await client.ask("DELETE", path)).status_code == 204
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({}, 164),
        ({"repository": "ssh://git@h/x"}, 164),
        ({"repository": "file:///etc"}, 164),
        ({"repository": "https://u:p@h/x"}, 146),
        ({"repository": URL, "branch": "--upload-pack=id"}, 1),
        ({"repository": URL, "directory": "../x"}, 1),
        ({"repository": 3}, 87),
    ],
)
async def test_what_cannot_be_a_repository_is_refused(world: World, body: dict[str, Any], number: int) -> None:
    guid = (await item_of(world))["guid"]
    answer = await world.client("ada").ask("PUT", f"v1/content/{guid}/repository", body)
    assert (answer.status_code, answer.json()["code"]) == (400, number)
    assert (await world.client("ada").get(f"v1/content/{guid}/repository")).status_code == 404


async def test_changing_what_is_not_there_is_404(world: World) -> None:
    guid = (await item_of(world))["guid"]
    assert (await world.client("ada").ask("PATCH", f"v1/content/{guid}/repository", {})).status_code == 404


async def test_only_who_may_change_the_content_sees_its_repository(world: World) -> None:
    guid = await linked(world)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await world.client("bob").ask(method, f"v1/content/{guid}/repository", {"repository": URL})
        assert answer.status_code in (403, 404), method


async def test_without_git_clients_are_told_that_it_is_not_enabled(world: World) -> None:
    guid = await linked(world)
    world.live.git.available = False  # type: ignore[misc]
    for method in ("PUT", "PATCH"):
        answer = await world.client("ada").ask(method, f"v1/content/{guid}/repository", {"repository": URL})
        assert (answer.status_code, answer.json()["code"]) == (404, 145)
    assert (await world.client("ada").post(f"v1/content/{guid}/deploy", {})).json()["code"] == 145
    assert (await world.client().read("server_settings"))["git_available"] is False


async def test_uploads_are_refused_until_the_repository_is_removed(world: World) -> None:
    guid, client = await linked(world), world.client("ada")
    answer = await client.post(f"v1/content/{guid}/bundles", bundle())
    assert (answer.status_code, answer.json()["code"]) == (409, 144)
    await client.ask("DELETE", f"v1/content/{guid}/repository")
    assert (await client.post(f"v1/content/{guid}/bundles", bundle())).status_code == 201


@pytest.mark.parametrize("body", [{"bundle_id": None}, {}, {"activate": False}])
async def test_deploying_without_a_bundle_takes_the_repository(world: World, body: dict[str, Any]) -> None:
    guid = await linked(world)
    task = await world.client("ada").made(f"v1/content/{guid}/deploy", body)
    seen = await world.client("ada").read(f"v1/tasks/{task['task_id']}")
    assert seen["finished"] is False


async def test_deploying_an_earlier_bundle_still_works(world: World) -> None:
    made = await live_item(world)
    client = world.client("ada")
    await client.ask("PUT", f"v1/content/{made['guid']}/repository", {"repository": URL})
    await client.made(f"v1/content/{made['guid']}/deploy", {"bundle_id": made["bundle_id"]})


async def test_a_bundle_of_a_commit_has_its_number_at_once(world: World) -> None:
    guid, client = await linked(world), world.client("ada")
    told = await client.made(f"v1/content/{guid}/repository/bundle", {"ref": "v1.0"})
    assert set(told) == {"bundle_id", "task_id"}
    assert await client.read(f"v1/content/{guid}/bundles") == []
    early = await client.post(f"v1/content/{guid}/deploy", {"bundle_id": told["bundle_id"]})
    assert early.status_code == 409
    assert "still being made" in early.json()["error"]


async def test_a_bundle_needs_a_repository(world: World) -> None:
    client, guid = world.client("ada"), (await item_of(world))["guid"]
    answer = await client.post(f"v1/content/{guid}/repository/bundle", {})
    assert (answer.status_code, answer.json()["code"]) == (409, 143)
    told = await client.made(f"v1/content/{guid}/repository/bundle", {"repository": URL, "directory": "x"})
    assert told["bundle_id"]


@pytest.mark.parametrize("path", ["branches?url={url}", "manifest-dirs?url={url}&branch=main"])
async def test_what_a_repository_has_is_a_task_in_both_shapes(world: World, path: str) -> None:
    told = await world.client("ada").read(f"repo/{path.format(url=URL)}")
    assert told["task_id"] == told["id"]
    assert {"user_id", "status", "result", "finished", "code", "error", "last_status"} < set(told)
    assert (await world.client("ada").read(f"v1/tasks/{told['task_id']}"))["finished"] is False


async def test_a_host_without_an_account_has_an_empty_name(world: World) -> None:
    assert await world.client("ada").read("repo/account?url=https://github.com") == {"username": ""}
    assert (await world.client("ada").get("repo/account?url=file:///x")).status_code == 400
    assert (await world.client("vic").get("repo/account?url=https://github.com")).status_code == 403
