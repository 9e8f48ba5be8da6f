"""Variants and renderings, by the routes of older clients and by this product's own."""

from typing import Any

import pytest
from support import api
from support.documents import document, rendered

from rostra.clock import wire_time

pytestmark = pytest.mark.anyio


async def default_of(world: api.World, guid: str) -> Any:
    return (await world.client("ada").read(f"applications/{guid}/variants"))[0]


async def test_a_document_has_a_default_variant(world: api.World) -> None:
    made = await document(world)
    (variant,) = await world.client("ada").read(f"applications/{made['guid']}/variants")
    assert {type(variant[name]) for name in ("id", "app_id", "owner_id")} == {int}
    assert (variant["is_default"], variant["visibility"], variant["rendering_id"]) == (True, "public", None)
    assert len(variant["key"]) == 8
    again = await world.client("ada").read(f"applications/{made['guid']}/variants")
    assert again == [variant]
    assert await world.client("ada").read(f"variants/{variant['id']}") == variant


async def test_renderings_are_listed_newest_first(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    first = await rendered(world, made["guid"])
    second = await rendered(world, made["guid"])
    found = await world.client("ada").read(f"variants/{variant['id']}/renderings")
    assert [(one["id"], one["active"]) for one in found] == [(second, True), (first, False)]
    assert found[0]["render_duration"] == 1_500_000_000
    assert found[0]["render_time"] == wire_time(world.clock.now())
    assert (await default_of(world, made["guid"]))["rendering_id"] == second
    own = await world.client("ada").read(f"v1/content/{made['guid']}/renderings")
    assert own[0]["id"] == str(second)
    assert own[0]["path"] == f"/content/{made['guid']}/_rev{second}/"


async def test_each_variant_shows_its_own_rendering(world: api.World) -> None:
    made = await document(world)
    ada = world.client("ada")
    await default_of(world, made["guid"])
    other = await ada.made(f"v1/content/{made['guid']}/variants", {"name": "West", "visibility": "public"})
    mine = await rendered(world, made["guid"])
    await rendered(world, made["guid"], variant_id=int(other["id"]))
    assert (await default_of(world, made["guid"]))["rendering_id"] == mine


async def test_rendering_again_is_a_task(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    ada = world.client("ada")
    task = await ada.made(f"variants/{variant['id']}/render")
    assert task["finished"] is False
    assert (task["output"], task["last"]) == (task["status"], task["last_status"]) == ([], 0)
    answer = await ada.post(f"v1/content/{made['guid']}/render", {})
    assert (answer.status_code, list(answer.json())) == (202, ["task_id"])


async def test_what_is_no_document_is_not_rendered(world: api.World) -> None:
    made = await api.live_item(world)
    answer = await world.client("ada").post(f"v1/content/{made['guid']}/render", {})
    assert answer.status_code == 409


async def test_parameters_are_kept_with_a_variant(world: api.World) -> None:
    made = await document(world)
    ada = world.client("ada")
    given = {"name": "West", "parameters": {"region": "west", "n": 3}}
    variant = await ada.made(f"v1/content/{made['guid']}/variants", given)
    assert (variant["parameters"], variant["visibility"]) == (given["parameters"], "private")
    path = f"v1/content/{made['guid']}/variants/{variant['key']}"
    changed = await ada.ask("PATCH", path, {"parameters": {"region": "east"}})
    assert changed.json()["parameters"] == {"region": "east"}
    for bad in ({"a b": 1}, {"for": 1}, {"x": "y" * 70_000}):
        assert (await ada.ask("PATCH", path, {"parameters": bad})).status_code == 400


async def test_a_private_variant_is_its_owners(world: api.World) -> None:
    made = await document(world, access_type="all")
    ada, bob, root = world.client("ada"), world.client("bob"), world.client("root")
    private = await ada.made(f"v1/content/{made['guid']}/variants", {"name": "Mine"})
    for other in (bob, root):
        assert (await other.get(f"variants/{private['id']}")).status_code == 404
        seen = await other.read(f"v1/content/{made['guid']}/variants")
        assert [one["is_default"] for one in seen] == [True]
    refused = await ada.post(f"variants/{private['id']}", {"email_viewers": True})
    assert (refused.status_code, refused.json()["code"]) == (400, 93)
    assert (await ada.post(f"variants/{private['id']}", {"visibility": "public"})).status_code == 200
    assert (await bob.get(f"variants/{private['id']}")).status_code == 200


async def test_the_default_variant_stays_public_and_there(world: api.World) -> None:
    made = await document(world)
    ada, variant = world.client("ada"), await default_of(world, made["guid"])
    assert (await ada.post(f"variants/{variant['id']}", {"visibility": "private"})).status_code == 409
    assert (await ada.ask("DELETE", f"v1/content/{made['guid']}/variants/{variant['key']}")).status_code == 409


async def test_a_variant_goes_with_its_renderings(world: api.World) -> None:
    made = await document(world)
    ada = world.client("ada")
    other = await ada.made(f"v1/content/{made['guid']}/variants", {"name": "West"})
    await rendered(world, made["guid"], variant_id=int(other["id"]))
    folder = world.live.places.data_dir / f"renderings/{made['guid']}/r{other['id']}"
    folder.mkdir(parents=True)
    assert (await ada.ask("DELETE", f"v1/content/{made['guid']}/variants/{other['key']}")).status_code == 204
    assert not folder.exists()
    assert (await ada.get(f"variants/{other['id']}")).status_code == 404


async def test_viewers_read_and_do_not_render(world: api.World) -> None:
    made = await document(world, access_type="all")
    variant = await default_of(world, made["guid"])
    vic = world.client("vic")
    assert (await vic.get(f"variants/{variant['id']}")).status_code == 200
    assert (await vic.post(f"variants/{variant['id']}/render")).status_code == 403
    assert (await vic.post(f"v1/content/{made['guid']}/render", {})).status_code == 403


async def test_a_stranger_learns_of_no_variant(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    bob = world.client("bob")
    assert (await bob.get(f"variants/{variant['id']}")).status_code == 404
    assert (await bob.get(f"applications/{made['guid']}/variants")).status_code == 404


async def test_subscribers_come_and_go(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    ada, vic = world.client("ada"), world.users["vic"]
    path = f"variants/{variant['id']}/subscribers"
    assert [one["guid"] for one in await ada.made(path, {"guid": vic.guid})] == [vic.guid]
    assert [one["guid"] for one in await ada.made(path, {"guid": vic.guid})] == [vic.guid]
    assert (await ada.ask("DELETE", f"{path}/{vic.guid}")).status_code == 204
    assert await ada.read(path) == []


async def test_failure_subscribers_come_and_go(world: api.World) -> None:
    made = await document(world)
    ada, bob = world.client("ada"), world.users["bob"]
    path = f"v1/content/{made['guid']}/failure-subscribers"
    assert (await ada.ask("PUT", f"{path}/{bob.guid}")).status_code == 204
    assert [one["guid"] for one in await ada.read(path)] == [bob.guid]
    assert (await ada.ask("DELETE", f"{path}/{bob.guid}")).status_code == 204
    assert await ada.read(path) == []


@pytest.mark.parametrize(("to", "status"), [("me", 200), ("collaborators", 200), ("everybody", 400)])
async def test_a_rendering_is_sent_on_request(world: api.World, to: str, status: int) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    rendering = await rendered(world, made["guid"])
    body = {"email": to, "rendering_id": rendering}
    assert (await world.client("ada").post(f"variants/{variant['id']}/sender", body)).status_code == status


async def test_nothing_rendered_nothing_sent(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    assert (await world.client("ada").post(f"variants/{variant['id']}/sender", {"email": "me"})).status_code == 404


async def test_a_rendering_that_was_never_shown_is_for_those_who_may_change_it(world: api.World) -> None:
    made = await document(world)
    variant = await default_of(world, made["guid"])
    shown = await rendered(world, made["guid"])
    draft = await rendered(world, made["guid"], active=False)
    given = {"principal_guid": world.users["vic"].guid, "role": "viewer"}
    await world.client("ada").made(f"v1/content/{made['guid']}/permissions", given)
    for name, expected in (("ada", [draft, shown]), ("root", [draft, shown]), ("vic", [shown])):
        rows = await world.client(name).read(f"variants/{variant['id']}/renderings")
        assert [row["id"] for row in rows] == expected
        own = await world.client(name).read(f"v1/content/{made['guid']}/renderings")
        assert [int(row["id"]) for row in own] == expected
    mailed = await world.client("vic").post(f"variants/{variant['id']}/sender", {"email": "me", "rendering_id": draft})
    assert mailed.status_code == 404
