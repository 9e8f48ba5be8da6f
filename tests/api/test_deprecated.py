import pytest
from support.api import World, item_of

from rostra.api.app import described, description
from rostra.api.deprecated import HEADER, INSTEAD, NO_OTHER

pytestmark = pytest.mark.anyio


def test_every_deprecated_route_exists() -> None:
    there = {(method, route.path) for route in described() for method in route.methods}
    assert INSTEAD.keys() <= there


def test_what_to_use_instead_exists_and_is_not_deprecated_itself() -> None:
    there = {route.path for route in described()}
    others = {path for path in INSTEAD.values() if path != NO_OTHER and not path.startswith("/content/")}
    assert others <= there
    assert others.isdisjoint(path for _, path in INSTEAD)


def test_the_description_says_so() -> None:
    paths = description()["paths"]
    marked = {(m.upper(), p) for p, methods in paths.items() for m, one in methods.items() if one.get("deprecated")}
    assert marked == INSTEAD.keys()


async def test_a_deprecated_route_says_what_to_use(world: World) -> None:
    guid = (await item_of(world))["guid"]
    ada = world.client("ada")
    assert (await ada.get("me")).headers[HEADER] == "/v1/user"
    assert (await ada.get(f"applications/{guid}/jobs")).headers[HEADER] == "/v1/content/{guid}/jobs"


@pytest.mark.parametrize(
    "path", ["v1/user", "server_settings", "v1/content", "applications/{guid}/variants", "nonsense"]
)
async def test_what_current_clients_call_does_not(world: World, path: str) -> None:
    guid = (await item_of(world))["guid"]
    assert HEADER not in (await world.client("ada").get(path.format(guid=guid))).headers
