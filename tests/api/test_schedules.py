"""Schedules, by the routes of older clients and by this product's own."""

import json
from typing import Any

import pytest
from support import api
from support.documents import document

pytestmark = pytest.mark.anyio


async def scheduled(world: api.World, **more: Any) -> tuple[Any, Any]:
    """Return a document's default variant and the schedule it was given by the older routes."""
    made = await document(world)
    ada = world.client("ada")
    (variant,) = await ada.read(f"applications/{made['guid']}/variants")
    body = {
        "app_id": variant["app_id"],
        "variant_id": variant["id"],
        "activate": True,
        "email": False,
        "type": "day",
        "schedule": json.dumps({"N": 2}),
        "start_time": "2026-09-01T09:00:00Z",
        "timezone": "Europe/Zurich",
        **more,
    }
    return variant, await ada.made("schedules", body)


async def test_older_clients_set_a_schedule(world: api.World) -> None:
    variant, made = await scheduled(world)
    assert made["next_run"] == "2026-09-03T09:00:00Z"
    assert (made["schedule"], made["type"], made["variant_id"]) == ('{"N": 2}', "day", variant["id"])
    assert await world.client("ada").read(f"variants/{variant['id']}/schedules") == [made]
    assert await world.client("ada").read(f"schedules/{made['id']}") == made


async def test_a_variant_has_one_schedule(world: api.World) -> None:
    variant, _ = await scheduled(world)
    body = {"variant_id": variant["id"], "type": "weekday", "schedule": "{}", "start_time": "2026-09-01T09:00:00Z"}
    answer = await world.client("ada").post("schedules", body)
    assert (answer.status_code, answer.json()["code"]) == (409, 102)


async def test_a_schedule_is_changed_with_all_its_fields(world: api.World) -> None:
    """As the R client does: it sends back what it read, with its changes."""
    _, made = await scheduled(world)
    ada = world.client("ada")
    changed = await ada.made(f"schedules/{made['id']}", {**made, "type": "hour", "schedule": '{"N":3}', "email": True})
    assert (changed["type"], changed["email"], changed["next_run"]) == ("hour", True, "2026-09-01T15:00:00Z")


async def test_a_schedule_is_removed(world: api.World) -> None:
    variant, made = await scheduled(world)
    ada = world.client("ada")
    assert (await ada.ask("DELETE", f"schedules/{made['id']}")).status_code == 204
    assert await ada.read(f"variants/{variant['id']}/schedules") == []
    assert (await ada.get(f"schedules/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("more", "number"),
    [
        ({"start_time": "2009-01-01T00:00:00Z"}, 37),
        ({"type": "fortnight"}, 1),
        ({"schedule": "{"}, 1),
        ({"timezone": "Mars/Olympus"}, 1),
        ({"start_time": "soon"}, 1),
    ],
)
async def test_what_cannot_be_used_is_refused(world: api.World, more: dict[str, str], number: int) -> None:
    made = await document(world)
    ada = world.client("ada")
    (variant,) = await ada.read(f"applications/{made['guid']}/variants")
    usual = {"type": "day", "schedule": '{"N":1}', "start_time": "2026-09-01T09:00:00Z", "timezone": "UTC"}
    answer = await ada.post("schedules", {"variant_id": variant["id"], **usual, **more})
    assert (answer.status_code, answer.json()["code"]) == (400, number)


async def test_a_paused_schedule_has_no_next_run(world: api.World) -> None:
    made = await document(world)
    ada, path = world.client("ada"), f"v1/content/{made['guid']}/schedule"
    body = {"type": "week", "schedule": {"N": 1}, "start_time": "2026-09-01T09:00", "timezone": "America/New_York"}
    put = await ada.ask("PUT", path, body)
    assert put.json()["next_run"] == "2026-09-01T13:00:00Z", "a start without an offset is one of the zone"
    assert put.json()["words"] == "every week on Tuesday at 09:00, America/New_York"
    assert (await ada.ask("PUT", path, {"paused": True})).json()["next_run"] is None
    assert (await ada.ask("PUT", path, {"paused": False})).json()["next_run"] == "2026-09-01T13:00:00Z"
    assert (await ada.ask("DELETE", path)).status_code == 204
    assert (await ada.get(path)).status_code == 404


async def test_viewers_may_read_and_not_change(world: api.World) -> None:
    _, made = await scheduled(world)
    guid = (await world.client("ada").read("v1/content"))[0]["guid"]
    await world.client("ada").ask("PATCH", f"v1/content/{guid}", {"access_type": "all"})
    vic = world.client("vic")
    assert (await vic.get(f"schedules/{made['id']}")).status_code == 200
    assert (await vic.post(f"schedules/{made['id']}", {"type": "hour", "schedule": '{"N":1}'})).status_code == 403
    assert (await vic.ask("DELETE", f"schedules/{made['id']}")).status_code == 403


async def test_schedules_are_listed_to_those_who_may_see_the_content(world: api.World) -> None:
    _, made = await scheduled(world)
    ada, bob = world.client("ada"), world.client("bob")
    assert (await ada.read("v1/experimental/schedules"))["schedules"] == [made]
    assert (await bob.read("v1/experimental/schedules"))["schedules"] == []
    detailed = (await ada.read("v1/experimental/schedules?detailed=true"))["schedules"][0]
    assert detailed["app_guid"]
    before = await ada.read("v1/experimental/schedules?end=2026-09-02T00:00:00Z")
    assert before["schedules"] == []


async def test_only_administrators_send_a_test_mail(world: api.World) -> None:
    assert (await world.client("ada").post("v1/tasks/send-test-email", {"to": "a@b.org"})).status_code == 403
    assert (await world.client("root").post("v1/tasks/send-test-email", {"to": "nobody"})).status_code == 400
    assert "task_id" in await world.client("root").made("v1/tasks/send-test-email", {"to": "a@b.org"})


async def test_a_variant_without_a_schedule_says_so_in_words_of_its_own(world: api.World) -> None:
    guid = (await world.client("ada").made("v1/content", {}))["guid"]
    for method in ("GET", "DELETE"):
        answer = await world.client("ada").ask(method, f"v1/content/{guid}/schedule")
        assert (answer.status_code, answer.json()["code"]) == (404, 4)
        assert answer.json()["error"].startswith("this variant has no schedule")
