"""The page of what is left out tells the truth: every request in it is sent."""

import re
from typing import Any

import pytest
from support.api import World, item_of

from rostra.api.app import described
from rostra.api.left_out import LEFT_OUT, LeftOut

pytestmark = pytest.mark.anyio


def contains(whole: Any, part: Any) -> bool:
    """Return whether everything in ``part`` is so in ``whole``."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and contains(whole[name], part[name]) for name in part)
    return type(whole) is type(part) and bool(whole == part)


@pytest.mark.parametrize("one", LEFT_OUT, ids=lambda one: one.what)
async def test_a_client_sees_what_the_page_says(world: World, one: LeftOut) -> None:
    guid = (await item_of(world))["guid"]
    answer = await world.client("root").ask(one.method, one.path.format(guid=guid), one.body)
    assert answer.status_code == one.status
    if one.told:
        assert contains(answer.json(), one.told), answer.text
    else:
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("one", LEFT_OUT, ids=lambda one: one.what)
def test_a_route_is_there_or_is_not_as_it_says(one: LeftOut) -> None:
    there = [re.sub(r"\{[^}]+\}", "[^/]+", route.path) for route in described() if one.method in route.methods]
    assert any(re.fullmatch(path, f"/{one.path}") for path in there) is (one.status != 404)


def test_licences_and_clouds_are_spoken_of() -> None:
    spoken = " ".join(one.what for one in LEFT_OUT)
    assert "Licences" in spoken
    assert "cluster" in spoken
