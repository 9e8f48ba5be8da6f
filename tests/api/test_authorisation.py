"""Who may call what, for every operation there is: a new route is in this test without anybody adding it.

A route is refused by these tests unless it asks for a person, hides other people's content, and asks of a viewer what
a viewer may do. What is open to nobody, or to viewers, is listed here by hand, so opening it is a decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from support.api import World, bundle, live_item

from rostra.api.app import ROUTERS
from rostra.api.edge import SCOPE
from rostra.auth.principals import Role
from rostra.auth.service_tokens import SCOPES

pytestmark = pytest.mark.anyio

OPEN = {
    ("GET", "/server_settings"),
    ("GET", "/v1/server_settings/public"),
    ("POST", "/v1/bootstrap"),
    ("POST", "/v1/experimental/bootstrap"),
    ("POST", "/tokens"),
    ("GET", "/openapi.json"),
}
# What somebody who was only given the permission to view an item may do with it.
VIEWABLE = {
    ("GET", "/v1/content/{guid}"),
    ("GET", "/v1/content/{guid}/vanity"),
    ("GET", "/v1/content/{guid}/packages"),
    ("GET", "/v1/content/{guid}/tags"),
    ("GET", "/v1/content/{guid}/bookmark"),
    ("POST", "/v1/content/{guid}/bookmark"),
    ("DELETE", "/v1/content/{guid}/bookmark"),
    ("GET", "/v1/content/{guid}/variants"),
    ("GET", "/v1/content/{guid}/variants/{key}"),
    ("GET", "/v1/content/{guid}/renderings"),
    ("GET", "/v1/content/{guid}/parameters"),
    ("GET", "/v1/content/{guid}/ad-hoc-variants"),
    ("GET", "/v1/content/{guid}/schedule"),
    ("GET", "/applications/{guid}"),
    ("GET", "/applications/{guid}/config"),
    ("GET", "/applications/{guid}/image"),
    ("GET", "/applications/{guid}/variants"),
}
# What only the person themselves, or an administrator, may do with an account.
PERSONAL = {
    ("PUT", "/v1/users/{guid}"),
    ("GET", "/v1/users/{guid}/keys"),
    ("POST", "/v1/users/{guid}/keys"),
    ("GET", "/v1/users/{guid}/keys/{key_id}"),
    ("DELETE", "/v1/users/{guid}/keys/{key_id}"),
    ("GET", "/v1/users/{guid}/tokens"),
    ("DELETE", "/v1/users/{guid}/tokens/{token}"),
}
ABOUT_ITEMS = ("/v1/content/{guid}", "/applications/{guid}")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    role: Role | None  # what its signature asks for, beyond being somebody
    scope: str | None = None  # with which a machine's token may do it too

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def about_an_item(self) -> bool:
        return self.path.startswith(ABOUT_ITEMS)


def _dependencies(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _dependencies(one)


def _role(route: APIRoute) -> Role | None:
    for call in _dependencies(route.dependant):
        if call.__qualname__.startswith("_at_least."):
            return Role(call.__closure__[0].cell_contents)
        if hasattr(call, SCOPE):
            return getattr(call, SCOPE)[1]
    return None


def _scope(route: APIRoute) -> str | None:
    scopes = [getattr(call, SCOPE)[0] for call in _dependencies(route.dependant) if hasattr(call, SCOPE)]
    return scopes[0] if scopes else None


def operations() -> list[Operation]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [
        Operation(method, route.path, _role(route), _scope(route))
        for route in routes
        for method in sorted(route.methods)
    ]


ALL = operations()


@dataclass
class Scene:
    """Ada's private item with one of everything, and a body for each operation that needs one."""

    world: World
    item: dict[str, Any]
    ids: dict[str, str]
    failures: list[str] = field(default_factory=list)

    def path(self, operation: Operation) -> str:
        ids = dict(self.ids)
        if "/users/{guid}" in operation.path:
            ids["guid"] = self.world.users["ada"].guid
        if "/groups/{guid}" in operation.path:
            ids["guid"] = self.ids["group"]
        if "/oauth/" in operation.path and not operation.about_an_item:
            ids["guid"] = self.ids["integration"]
        if "/environments/{guid}" in operation.path:
            ids["guid"] = self.ids["environment"]
        return operation.path.removeprefix("/").replace("{path:path}", "app.py").format(**ids)

    async def call(self, name: str | None, operation: Operation) -> int:
        body = body_of(self, operation)
        answer = await self.world.client(name).ask(operation.method, self.path(operation), body)
        if answer.status_code >= 500:
            self.failures.append(f"{name} {operation.method} {operation.path}: {answer.status_code} {answer.text}")
        return answer.status_code

    def expect(self, fine: bool, name: str | None, operation: Operation, status: int) -> None:
        if not fine:
            self.failures.append(f"{name} {operation.method} {operation.path}: {status}")


def body_of(scene: Scene, operation: Operation) -> Any:
    if operation.path.endswith(("/bundles", "/upload")) and operation.method == "POST":
        return bundle()
    if operation.path.endswith(("/thumbnail", "/image")) and operation.method in {"PUT", "POST"}:
        return b"\x89PNG\r\n\x1a\n" + bytes(8)
    if operation.method in {"GET", "DELETE"}:
        return {"language": "Python", "version": "3.11.7"} if "caches" in operation.path else None
    bodies = {
        "/v1/content/{guid}": {"title": "Another title"},
        "/applications/{guid}": {"title": "Yet another title"},
        "/v1/content/{guid}/permissions": {"principal_guid": scene.world.users["bob"].guid, "role": "viewer"},
        "/v1/content/{guid}/permissions/{permission_id}": {
            "principal_guid": scene.world.users["vic"].guid,
            "principal_type": "user",
            "role": "viewer",
        },
        "/v1/content/{guid}/vanity": {"path": "/another/"},
        "/v1/content/{guid}/tags": {"tag_id": scene.ids["tag_id"]},
        "/v1/content/{guid}/environment": [{"name": "A", "value": "b"}],
        "/applications/{guid}/environment": {"version": 1, "values": {}},
        "/v1/content/{guid}/oauth/integrations/associations": [{"oauth_integration_guid": scene.ids["integration"]}],
        "/v1/users/{guid}/keys": {"name": "another"},
        "/v1/users/{guid}/lock": {"locked": True},
        "/v1/users/{guid}": {"first_name": "Ada"},
        "/v1/users": {"username": "somebody"},
        "/v1/groups": {"name": "Another"},
        "/v1/groups/{guid}/members": {"user_guid": scene.world.users["bob"].guid},
        "/v1/tags": {"name": "another"},
        "/v1/tags/{tag_id}": {"name": "another"},
        "/v1/oauth/integrations": {"template": "connect", "name": "x"},
        "/v1/oauth/integrations/{guid}": {"name": "another"},
        "/v1/environments": {"title": "x", "name": "another"},
        "/v1/environments/{guid}": {"title": "x"},
        "/v1/system/documentation": {"content": "# Welcome"},
        "/v1/system/service-tokens": {"name": f"another of {scene.ids['guid']}", "scopes": ["audit:read"]},
        "/v1/environments/{guid}/permissions": {"user_guid": scene.world.users["bob"].guid},
    }
    return bodies.get(operation.path, {})


async def scene(world: World, viewer: str | None = None) -> Scene:
    ada, root = world.client("ada"), world.client("root")
    item = await live_item(world, title="Private")
    path = f"v1/content/{item['guid']}"
    root_tag = await root.made("v1/tags", {"name": f"c{item['id']}"})
    tag = await root.made("v1/tags", {"name": "leaf", "parent_id": root_tag["id"]})
    group = await ada.made("v1/groups", {"name": f"g{item['id']}"})
    integration = await root.made("v1/oauth/integrations", {"template": "connect", "name": "x"})
    environment = await root.made("v1/environments", {"title": "x", "name": f"e{item['id']}"})
    given = {"principal_guid": world.users[viewer or "vic"].guid, "role": "viewer"}
    permission = await ada.made(f"{path}/permissions", given) if viewer else {"id": "1"}
    ids = {
        "guid": item["guid"],
        "bundle_id": item["bundle_id"],
        "tag_id": tag["id"],
        "group": group["guid"],
        "integration": integration["guid"],
        "environment": environment["guid"],
        "permission_id": permission["id"],
        "user_guid": world.users["vic"].guid,
    }
    unknown = (
        *("key_id", "key", "token", "task_id", "run_id", "entry_id", "app_mode", "permission_guid", "rehearsal_id"),
        *("variant_id", "schedule_id", "token_guid"),
    )
    return Scene(world, item, {**dict.fromkeys(unknown, "7"), **ids})


async def whole(world: World, item: dict[str, Any]) -> str:
    """Return all of an item that its owner can read, as text."""
    ada, path = world.client("ada"), f"v1/content/{item['guid']}"
    parts = ("", "/permissions", "/bundles", "/tags", "/environment", "/jobs", "/oauth/integrations/associations")
    return json.dumps([await ada.read(path + part) for part in parts])


def test_there_are_routes() -> None:
    assert len(ALL) > 150


def test_what_is_listed_by_hand_exists() -> None:
    assert {*OPEN, *VIEWABLE, *PERSONAL} <= {operation.key for operation in ALL}


async def test_nobody_is_asked_to_sign_in(world: World) -> None:
    there = await scene(world)
    for operation in ALL:
        if operation.key not in OPEN:
            status = await there.call(None, operation)
            there.expect(status == 401, None, operation, status)
    assert there.failures == []


@pytest.mark.parametrize("name", ["vic", "ada"])
async def test_a_role_too_low_is_refused(world: World, name: str) -> None:
    there, has = await scene(world), Role(world.users[name].role)
    for operation in ALL:
        if operation.role is not None and not has.at_least(operation.role):
            status = await there.call(name, operation)
            there.expect(status == 403, name, operation, status)
    assert there.failures == []


@pytest.mark.parametrize("name", ["vic", "bob"])
async def test_other_peoples_items_do_not_exist(world: World, name: str) -> None:
    there = await scene(world)
    before = await whole(world, there.item)
    for operation in ALL:
        if operation.about_an_item:
            status = await there.call(name, operation)
            there.expect(status == 404, name, operation, status)
    assert there.failures == []
    assert await whole(world, there.item) == before


@pytest.mark.parametrize("name", ["vic", "bob"])
async def test_who_may_view_an_item_changes_nothing(world: World, name: str) -> None:
    there = await scene(world, name)
    before = await whole(world, there.item)
    for operation in ALL:
        if operation.about_an_item:
            status = await there.call(name, operation)
            # A part of the item that does not exist is missed before it is asked who may change it.
            fine = (
                (200, 201, 202, 204, 404)
                if operation.key in VIEWABLE
                else (403, *((404,) * ("{key}" in operation.path)))
            )
            there.expect(status in fine, name, operation, status)
    assert there.failures == []
    assert await whole(world, there.item) == before


@pytest.mark.parametrize("name", ["vic", "bob"])
async def test_other_peoples_accounts_are_theirs(world: World, name: str) -> None:
    there = await scene(world)
    for operation in ALL:
        if operation.key in PERSONAL:
            status = await there.call(name, operation)
            there.expect(status == 403, name, operation, status)
    assert there.failures == []


@pytest.mark.parametrize("name", ["ada", "root"])
async def test_owners_and_administrators_are_never_refused(world: World, name: str) -> None:
    there = await scene(world)
    for operation in ALL:
        if operation.about_an_item or name == "root":
            if (operation.method, operation.path) == ("DELETE", "/v1/content/{guid}"):
                continue
            if operation.key in {("POST", "/v1/users/{guid}/keys"), *OPEN}:
                continue  # keys are made only for oneself
            status = await there.call(name, operation)
            there.expect(status not in (401, 403), name, operation, status)
    assert there.failures == []


@pytest.mark.parametrize("scopes", [list(SCOPES), *([scope] for scope in SCOPES)], ids=" ".join)
async def test_a_machine_does_what_its_scopes_say_and_nothing_else(world: World, scopes: list[str]) -> None:
    there = await scene(world)
    made = await world.client("root").made("v1/system/service-tokens", {"name": "machine", "scopes": scopes})
    machine = world.client(authorization=f"Key {made['token']}")
    for operation in ALL:
        if operation.key in OPEN:
            continue
        answer = await machine.ask(operation.method, there.path(operation), body_of(there, operation))
        open_to_it = operation.scope in scopes
        if open_to_it:
            fine = answer.status_code not in (401, 403) and answer.status_code < 500
        else:
            fine = answer.status_code == 403 and answer.json()["code"] == 22
        there.expect(fine, "machine", operation, answer.status_code)
    assert there.failures == []


def test_every_scope_opens_something_and_only_reading() -> None:
    assert {operation.scope for operation in ALL if operation.scope} == SCOPES.keys()
    assert {operation.method for operation in ALL if operation.scope} == {"GET"}
