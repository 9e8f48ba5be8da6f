"""Integrations on the dashboard: made and deleted by administrators, given to content by whoever looks after it."""

from __future__ import annotations

import pytest
from support.browsing import browser
from support.controlling import World

from rostra.auth import users
from rostra.content import integrations, oauth_sessions
from rostra.content.oauth_provider import Tokens
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
FORM = {
    "name": "Warehouse",
    "client_id": "rostra",
    "client_secret": "hush-hush",
    "authorization_uri": "https://id.example.org/auth",
    "token_uri": "https://id.example.org/token",
    "scopes": "openid",
}


async def test_an_integration_is_made_given_to_content_and_deleted(world: World) -> None:
    guid = await world.item()
    async with browser(world, "root") as root, browser(world, "ada") as ada:
        await root.open("/connect/server/integrations")
        assert "/__oauth__/integrations/callback" in root.page
        await root.submit("/integrations/add", FORM)
        assert "Made." in root.page
        assert "hush-hush" not in root.page
        (made,) = await world.api("GET", "oauth/integrations")
        assert (made["auth_type"], made["config"]["use_pkce"]) == ("Viewer", True)
        await ada.open(f"/connect/apps/{guid}/integrations")
        await ada.submit("/integrations/save", {made["guid"]: "on"})
        assert "Saved." in ada.page
        (given,) = await world.api("GET", f"content/{guid}/oauth/integrations/associations")
        assert given["oauth_integration_guid"] == made["guid"]
        await ada.submit("/integrations/save", {made["guid"]: None})
        assert await world.api("GET", f"content/{guid}/oauth/integrations/associations") == []
        await root.open("/connect/server/integrations")
        await root.submit("/integrations/delete", integration=made["guid"])
    assert await world.api("GET", "oauth/integrations") == []


async def test_what_is_wrong_is_said_and_no_secret_comes_back(world: World) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/server/integrations")
        page = await root.submit("/integrations/add", {**FORM, "name": " "})
    assert "needs a name" in page
    assert "https://id.example.org/token" in page
    assert "hush-hush" not in page


async def test_only_administrators_set_integrations_up(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/server/integrations")
        assert ada.status == 403


async def test_people_see_which_connections_are_missing_and_end_those_they_have(world: World) -> None:
    guid = await world.item()
    await world.api("PATCH", f"content/{guid}", {"access_type": "acl"})
    config = {name: FORM[name] for name in FORM if name != "name"}
    made = await world.api(
        "POST", "oauth/integrations", {"name": "Warehouse", "template": "custom", "config": config}, name="root"
    )
    await world.api(
        "PUT", f"content/{guid}/oauth/integrations/associations", [{"oauth_integration_guid": made["guid"]}]
    )
    login = f"/__oauth__/integrations/login/{made['guid']}"
    async with browser(world, "ada") as ada, browser(world, "vic") as vic:
        await ada.open("/connect/connections")
        assert ("not connected" in ada.page, login in ada.page, "Disconnect" in ada.page) == (True, True, False)
        await vic.open("/connect/connections")
        assert "Warehouse" not in vic.page, "no content vic may open asks for it"
        await connected(world, made["guid"], "ada")
        await ada.open("/connect/connections")
        assert ("not connected" in ada.page, "Disconnect" in ada.page) == (False, True)
        await ada.submit("/connections/end")
        assert ("Disconnected" in ada.page, "not connected" in ada.page) == (True, True)
    assert await world.api("GET", "oauth/sessions") == []
    entry = (await world.api("GET", "audit_logs?limit=1", name="root"))["results"][0]
    assert entry["action"] == "delete_session"


async def test_a_connection_stays_in_the_list_when_content_asks_no_more(world: World) -> None:
    config = {name: FORM[name] for name in FORM if name != "name"}
    made = await world.api(
        "POST", "oauth/integrations", {"name": "Warehouse", "template": "custom", "config": config}, name="root"
    )
    assert await world.api("GET", "oauth/connections") == []
    await connected(world, made["guid"], "ada")
    (row,) = await world.api("GET", "oauth/connections")
    assert (row["oauth_integration_name"], row["session_guid"] is None) == ("Warehouse", False)
    assert await world.api("GET", "oauth/connections", name="bob") == []


async def connected(world: World, integration: str, name: str) -> None:
    """Store what a sign-in at the provider gives."""
    tools = world.control.tools
    guid = (await world.api("GET", "user", name=name))["guid"]
    async with transaction(tools.sessions) as session:
        row, user = await integrations.get(session, integration), await users.by_guid(session, guid)
        tokens = Tokens(access="hush", refresh="hush", lifetime=600)
        await oauth_sessions.keep(session, tools.box, row, user.id, tokens=tokens, now=world.house.clock.now())
