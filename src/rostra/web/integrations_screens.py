"""The pages on which administrators set up integrations, and on which an item is given them; and one's own sign-ins."""

from __future__ import annotations

from typing import Any

from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done, part
from rostra.web.server_screens import check

FIELDS = ("client_id", "client_secret", "authorization_uri", "token_uri", "scopes", "token_endpoint_auth_method")
CALLBACK = "/__oauth__/integrations/callback"
METHODS = ("client_secret_basic", "client_secret_post", "none")


async def _load(call: Call) -> dict[str, Any]:
    check(call)
    return {
        "pill": "integrations",
        "rows": await call.get("v1/oauth/integrations"),
        "methods": METHODS,
        "callback": str(call.request.base_url).rstrip("/") + call.services.site.url(CALLBACK),
    }


async def _add(call: Call) -> str:
    config: dict[str, Any] = {name: call.text(name) for name in FIELDS if call.text(name)}
    config |= {"auth_type": call.text("auth_type"), "use_pkce": call.ticked("use_pkce")}
    wanted = {"name": call.text("name"), "description": call.text("description")}
    await call.ask("POST", "v1/oauth/integrations", {**wanted, "template": "custom", "config": config})
    return done("server/integrations", "made")


async def _delete(call: Call) -> str:
    await call.ask("DELETE", f"v1/oauth/integrations/{part(call.text('integration'))}")
    return done("server/integrations", "deleted")


async def _verify(call: Call) -> str:
    await call.ask("POST", f"v1/oauth/integrations/{part(call.text('integration'))}/verify")
    return done("server/integrations", "verified")


async def _load_item(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    there = await call.get(f"v1/content/{call.guid}/oauth/integrations/associations")
    used = {one["oauth_integration_guid"] for one in there}
    return {"head": head, "tab": "integrations", "rows": await call.get("v1/oauth/integrations"), "used": used}


async def _associate(call: Call) -> str:
    every = await call.get("v1/oauth/integrations")
    wanted = [{"oauth_integration_guid": one["guid"]} for one in every if call.ticked(one["guid"])]
    await call.ask("PUT", f"v1/content/{call.guid}/oauth/integrations/associations", wanted)
    return done(f"apps/{call.guid}/integrations", "saved")


async def _load_connections(call: Call) -> dict[str, Any]:
    return {"rows": await call.get("v1/oauth/connections")}


async def _disconnect(call: Call) -> str:
    await call.ask("DELETE", f"v1/oauth/sessions/{part(call.text('session'))}")
    return done("connections", "disconnected")


SCREENS = (
    Screen(
        path="connections",
        template="connections.html",
        load=_load_connections,
        here="keys",
        acts={"end": _disconnect},
    ),
    Screen(
        path="server/integrations",
        template="integrations.html",
        load=_load,
        here="server",
        acts={"add": _add, "delete": _delete, "verify": _verify},
    ),
    Screen(
        path="apps/{guid:uuid}/integrations",
        template="item_integrations.html",
        load=_load_item,
        acts={"save": _associate},
    ),
)
