from typing import Any
from urllib.parse import urlencode

import pytest
from support.api import World, item_of

from rostra.auth import keys
from rostra.content import session_tokens
from rostra.content.session_tokens import Visitor
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
USER = "urn:posit:connect:user-session-token"
KEY = "urn:posit:connect:api-key"
FIELDS = [
    *(
        "id",
        "guid",
        "created_time",
        "updated_time",
        "name",
        "description",
        "template",
        "auth_type",
        "config",
        "permissions",
        "environment_variables",
    ),
]


async def made(world: World, **fields: Any) -> Any:
    body = {"name": "Visitor", "template": "connect", "config": {"max_role": "Publisher"}, **fields}
    return await world.client("root").made("v1/oauth/integrations", body)


async def use(world: World, item: Any, *integrations: Any) -> Any:
    body = [{"oauth_integration_guid": one["guid"]} for one in integrations]
    answer = await world.client("ada").ask("PUT", f"v1/content/{item['guid']}/oauth/integrations/associations", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def process_key(world: World, name: str = "ada") -> str:
    async with transaction(world.live.sessions) as session:
        return await keys.for_process(session, world.users[name].id, "process-1", world.clock.now())


async def exchange(world: World, item: Any, visitor: str = "vic", key: str | None = None, **fields: str) -> Any:
    token = session_tokens.make(world.live.box, Visitor(world.users[visitor].guid, item["guid"]), world.clock.now())
    form = {"grant_type": GRANT, "subject_token_type": USER, "subject_token": token, "requested_token_type": KEY}
    client = world.client(authorization=f"Key {key or await process_key(world)}")
    return await client.post("v1/oauth/integrations/credentials", urlencode({**form, **fields}).encode())


async def test_a_made_integration_is_what_is_read_later_without_its_secrets(world: World) -> None:
    config = {"client_id": "me", "client_secret": "hush", "scopes": "a b"}
    one = await made(world, template="custom", config=config)
    assert list(one) == FIELDS
    assert (one["config"], one["auth_type"]) == ({"client_id": "me", "scopes": "a b"}, "Viewer")
    ada = world.client("ada")
    assert await ada.read("v1/oauth/integrations") == [one]
    assert await ada.read(f"v1/oauth/integrations/{one['guid']}") == one
    changed = await world.client("root").ask(
        "PATCH", f"v1/oauth/integrations/{one['guid']}", {"config": {"scopes": "c"}}
    )
    assert changed.json()["config"] == {"client_id": "me", "scopes": "c"}
    assert (await world.client("root").ask("DELETE", f"v1/oauth/integrations/{one['guid']}")).status_code == 204
    assert await ada.read("v1/oauth/integrations") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"template": "nothing"}, 227),
        ({"template": None}, 227),
        ({"config": {"max_role": "King"}}, 228),
        ({"config": []}, 228),
        ({"name": ""}, 225),
    ],
)
async def test_a_bad_integration_is_refused(world: World, fields: Any, code: int) -> None:
    body = {"name": "x", "template": "connect", "config": {"max_role": "Viewer"}, **fields}
    if fields == {"config": []}:
        body["config"] = ["x"]
    assert (await world.client("root").post("v1/oauth/integrations", body)).json()["code"] == code


async def test_associations_are_replaced_and_listed_both_ways(world: World) -> None:
    item, one, two = await item_of(world), await made(world), await made(world, name="Other")
    first = await use(world, item, one)
    world.clock.move(seconds=9)
    both = await use(world, item, two, one)
    assert [row["oauth_integration_name"] for row in both] == ["Visitor", "Other"]
    assert both[0] == first[0]
    assert await world.client("ada").read(f"v1/oauth/integrations/{one['guid']}/associations") == first
    assert await world.client("bob").read(f"v1/oauth/integrations/{one['guid']}/associations") == []
    assert await use(world, item) == []


@pytest.mark.parametrize("guids", [["nothing"], ["same", "same"], [None]])
async def test_bad_associations_are_refused(world: World, guids: list[Any]) -> None:
    item, one = await item_of(world), await made(world)
    body = [{"oauth_integration_guid": one["guid"] if guid == "same" else guid} for guid in guids]
    answer = await world.client("ada").ask("PUT", f"v1/content/{item['guid']}/oauth/integrations/associations", body)
    assert (answer.status_code, answer.json()["code"]) == (400, 208)


@pytest.mark.parametrize(
    ("visitor", "most", "role"),
    [("vic", "Admin", "viewer"), ("root", "Viewer", "viewer"), ("bob", "Publisher", "publisher")],
)
async def test_a_visitors_key_is_theirs_and_no_more_than_allowed(
    world: World, visitor: str, most: str, role: str
) -> None:
    item = await item_of(world)
    await use(world, item, await made(world, config={"max_role": most}))
    told = await exchange(world, item, visitor)
    assert told.status_code == 200, told.text
    given = told.json()
    assert (given["issued_token_type"], given["token_type"]) == (KEY, "Key")
    client = world.client(authorization=f"Key {given['access_token']}")
    assert (await client.read("v1/user"))["username"] == visitor
    posted = await client.post("v1/content", {})
    assert posted.status_code == (201 if role == "publisher" else 403)
    assert (await client.post(f"v1/users/{world.users[visitor].guid}/keys", {"name": "x"})).status_code == 403
    assert await world.client(visitor).read(f"v1/users/{world.users[visitor].guid}/keys") != []
    world.clock.move(hours=1)
    assert (await client.get("v1/user")).status_code == 401


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"grant_type": "password"}, 213),
        ({"subject_token_type": "x"}, 214),
        ({"subject_token": "x"}, 215),
        ({"requested_token_type": "x"}, 242),
        ({"audience": "x"}, 256),
    ],
)
async def test_a_bad_exchange_is_refused(world: World, fields: Any, code: int) -> None:
    item = await item_of(world)
    await use(world, item, await made(world))
    answer = await exchange(world, item, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_content_without_an_integration_is_told_so(world: World) -> None:
    answer = await exchange(world, await item_of(world))
    assert (answer.status_code, answer.json()["code"]) == (400, 212)


async def test_one_of_several_has_to_be_named(world: World) -> None:
    item, one, two = await item_of(world), await made(world), await made(world, template="github", config={})
    await use(world, item, one, two)
    assert (await exchange(world, item)).json()["code"] == 257
    assert (await exchange(world, item, audience=two["guid"])).json()["code"] == 242
    assert (await exchange(world, item, audience=one["guid"])).status_code == 200


async def test_only_the_item_itself_exchanges_its_visitors_tokens(world: World) -> None:
    item = await item_of(world)
    await use(world, item, await made(world))
    assert (await exchange(world, item, key=await process_key(world, "bob"))).status_code == 404


async def test_an_old_token_is_refused(world: World) -> None:
    item = await item_of(world)
    await use(world, item, await made(world))
    token = session_tokens.make(world.live.box, Visitor(world.users["vic"].guid, item["guid"]), world.clock.now())
    world.clock.move(hours=13)
    assert (await exchange(world, item, subject_token=token)).json()["code"] == 215


async def test_before_anybody_signs_in_there_are_no_sessions(world: World) -> None:
    assert await world.client("ada").read("v1/oauth/sessions?all=true") == []
    assert (await world.client("ada").get("v1/oauth/sessions/x")).json()["code"] == 220
