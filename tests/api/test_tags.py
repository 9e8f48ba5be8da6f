from typing import Any

import pytest
from support.api import World, item_of

pytestmark = pytest.mark.anyio


async def tree(world: World) -> dict[str, str]:
    """Department > (Sales > (North > Oslo), IT); Topic. Returns ids by name."""
    root, ids = world.client("root"), dict[str, str]()
    for name, parent in (
        ("Department", None),
        ("Sales", "Department"),
        ("North", "Sales"),
        ("Oslo", "North"),
        ("IT", "Department"),
        ("Topic", None),
    ):
        body = {"name": name} | ({"parent_id": ids[parent]} if parent else {})
        ids[name] = (await root.made("v1/tags", body))["id"]
    return ids


async def names(world: World, item: Any) -> list[str]:
    return [row["name"] for row in await world.client("ada").read(f"v1/content/{item['guid']}/tags")]


async def tagged(world: World, *given: str) -> tuple[Any, dict[str, str]]:
    item, ids = await item_of(world), await tree(world)
    for name in given:
        await world.client("ada").made(f"v1/content/{item['guid']}/tags", {"tag_id": ids[name]})
    return item, ids


async def test_a_made_tag_is_what_is_read_later(world: World) -> None:
    root = world.client("root")
    made = await root.made("v1/tags", {"name": "Department"})
    assert list(made) == ["id", "name", "parent_id", "created_time", "updated_time"]
    assert made["parent_id"] is None
    below = await root.made("v1/tags", {"name": "Sales", "parent_id": made["id"]})
    vic = world.client("vic")
    assert await vic.read("v1/tags") == [made, below]
    assert await vic.read(f"v1/tags/{below['id']}") == await vic.read("v1/tags/Department,Sales") == below
    assert await vic.read("v1/tags?name=Sales") == await vic.read(f"v1/tags?parent_id={made['id']}") == [below]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["Oslo"], ["Sales", "North", "Oslo"]),
        (["Sales"], ["Sales"]),
        (["Oslo", "IT"], ["Sales", "North", "Oslo", "IT"]),
        (["Oslo", "Oslo"], ["Sales", "North", "Oslo"]),
    ],
)
async def test_a_tag_brings_those_above_but_not_the_category(
    world: World, given: list[str], expected: list[str]
) -> None:
    item, _ = await tagged(world, *given)
    assert await names(world, item) == expected


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("North", ["Sales", "IT"]),
        ("Oslo", ["Sales", "North", "IT"]),
        ("Department", []),
        ("Topic", ["Sales", "North", "Oslo", "IT"]),
    ],
)
async def test_taking_a_tag_away_takes_those_below(world: World, gone: str, left: list[str]) -> None:
    item, ids = await tagged(world, "Oslo", "IT")
    for _ in range(2):
        answer = await world.client("ada").ask("DELETE", f"v1/content/{item['guid']}/tags/{ids[gone]}")
        assert answer.status_code == 204
    assert await names(world, item) == left


async def test_deleting_a_tag_deletes_those_below(world: World) -> None:
    item, ids = await tagged(world, "Oslo", "IT")
    assert (await world.client("root").ask("DELETE", f"v1/tags/{ids['Sales']}")).status_code == 204
    assert [row["name"] for row in await world.client("vic").read("v1/tags")] == ["Department", "IT", "Topic"]
    assert await names(world, item) == ["IT"]


async def test_a_moved_tree_brings_its_new_ancestors(world: World) -> None:
    item, ids = await tagged(world, "Oslo")
    world.clock.move(seconds=5)
    moved = await world.client("root").ask("PATCH", f"v1/tags/{ids['North']}", {"parent_id": ids["IT"]})
    assert moved.json()["parent_id"] == ids["IT"]
    assert moved.json()["updated_time"] > moved.json()["created_time"]
    assert await names(world, item) == ["Sales", "North", "Oslo", "IT"]


async def test_what_becomes_a_category_is_no_tag_of_content_any_more(world: World) -> None:
    item, ids = await tagged(world, "Oslo")
    await world.client("root").ask("PATCH", f"v1/tags/{ids['Sales']}", {"parent_id": None})
    assert await names(world, item) == ["North", "Oslo"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "v1/tags", {}, 400, 78),
        ("POST", "v1/tags", {"name": "  "}, 400, 78),
        ("POST", "v1/tags", {"name": "x" * 256}, 400, 77),
        ("POST", "v1/tags", {"name": "Topic"}, 409, 81),
        ("POST", "v1/tags", {"name": "New", "parent_id": "99"}, 400, 157),
        ("PATCH", "v1/tags/{Sales}", {"name": "IT"}, 409, 81),
        ("PATCH", "v1/tags/{Sales}", {"parent_id": "{Oslo}"}, 400, 157),
        ("PATCH", "v1/tags/{Sales}", {"parent_id": "{Sales}"}, 400, 157),
        ("PATCH", "v1/tags/99", {"name": "x"}, 404, 4),
        ("GET", "v1/tags/Department,Nobody", None, 404, 4),
        ("DELETE", "v1/tags/99", None, 404, 4),
    ],
)
async def test_bad_ones_are_refused(world: World, method: str, path: str, body: Any, status: int, code: int) -> None:
    ids = await tree(world)
    body = body and {key: value.format(**ids) for key, value in body.items()}
    answer = await world.client("root").ask(method, path.format(**ids), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_content_cannot_have_a_category(world: World) -> None:
    item, ids = await tagged(world)
    answer = await world.client("ada").post(f"v1/content/{item['guid']}/tags", {"tag_id": ids["Topic"]})
    assert (answer.status_code, answer.json()["code"]) == (400, 79)


async def test_only_administrators_change_the_trees(world: World) -> None:
    assert (await world.client("ada").post("v1/tags", {"name": "x"})).status_code == 403


async def test_tags_are_included_only_when_there_are_some(world: World) -> None:
    item, _ = await tagged(world, "IT")
    bare = await item_of(world)
    ada = world.client("ada")
    shown = await ada.read(f"v1/content/{item['guid']}?include=owner,tags,vanity_url,bookmarked")
    assert [row["name"] for row in shown["tags"]] == ["IT"]
    assert (shown["owner"]["username"], shown["bookmarked"]) == ("ada", False)
    empty = await ada.read(f"v1/content/{bare['guid']}?include=owner,tags,vanity_url")
    assert ("tags" in empty, "vanity_url" in empty, "owner" in empty) == (False, False, True)


async def test_content_is_found_by_tag_as_far_as_it_may_be_known(world: World) -> None:
    item, ids = await tagged(world, "Oslo")
    path = f"v1/tags/{ids['Sales']}/content"
    assert [row["guid"] for row in await world.client("ada").read(path)] == [item["guid"]]
    assert await world.client("bob").read(path) == []
