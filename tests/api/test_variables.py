"""Variables that two people change at once. What may be set at all is tested with the content."""

import pytest
from support.api import World, item_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_change_for_another_state_is_refused(world: World, method: str) -> None:
    ada, path = world.client("ada"), f"v1/content/{(await item_of(world))['guid']}/environment"
    read = await ada.get(path)
    await ada.ask("PATCH", path, [{"name": "A", "value": "somebody else's"}])
    late = await ada.ask(method, path, [{"name": "A", "value": "mine"}], headers={"if-match": read.headers["etag"]})
    assert (late.status_code, late.json()["code"]) == (409, 106)
    assert "variables" in late.json()["error"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_change_for_the_present_state_is_made(world: World, method: str) -> None:
    ada, path = world.client("ada"), f"v1/content/{(await item_of(world))['guid']}/environment"
    first = await ada.ask(method, path, [{"name": "A", "value": "1"}])
    second = await ada.ask(method, path, [{"name": "B", "value": "2"}], headers={"if-match": first.headers["etag"]})
    assert second.status_code == 200
    assert "B" in second.json()
    assert second.headers["etag"] != first.headers["etag"]


async def test_setting_the_same_value_again_is_a_change_too(world: World) -> None:
    ada, path = world.client("ada"), f"v1/content/{(await item_of(world))['guid']}/environment"
    marks = {(await ada.ask("PATCH", path, [{"name": "A", "value": "1"}])).headers["etag"] for _ in range(2)}
    assert len(marks) == 2


@pytest.mark.parametrize("header", [None, "*"])
async def test_who_names_no_state_overwrites(world: World, header: str | None) -> None:
    ada, path = world.client("ada"), f"v1/content/{(await item_of(world))['guid']}/environment"
    headers = {} if header is None else {"if-match": header}
    assert (await ada.ask("PUT", path, [{"name": "A", "value": "1"}], headers=headers)).json() == ["A"]


async def test_the_older_route_names_a_version(world: World) -> None:
    ada, guid = world.client("ada"), (await item_of(world))["guid"]
    path = f"applications/{guid}/environment"
    await ada.ask("PUT", f"v1/content/{guid}/environment", [{"name": n, "value": "1"} for n in ("KEPT", "GONE")])
    read = await ada.read(path)
    assert read["values"] == {"GONE": None, "KEPT": None}
    body = {"version": read["version"], "values": {"KEPT": None, "NEW": "2"}}
    assert (await ada.made(path, body))["values"] == {"KEPT": None, "NEW": None}
    late = await ada.post(path, body)
    assert (late.status_code, late.json()["code"]) == (409, 106)
