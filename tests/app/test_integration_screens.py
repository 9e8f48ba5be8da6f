"""Integrations on the dashboard: made and deleted by administrators, given to content by whoever looks after it."""

from __future__ import annotations

import pytest
from support.browsing import browser
from support.controlling import World

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
