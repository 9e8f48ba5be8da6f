"""The page on which one says who may see an item and who looks after it."""

from __future__ import annotations

from typing import Any

from rostra.errors import Invalid
from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done, part
from rostra.web.views import Access

SUGGESTED = 200  # names offered while typing


class _NotHere(Invalid):
    code = "nobody-of-that-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is nobody and no group called {name[:80]!r}" if name else "no name was given",
            hint="Write a username or the name of a group as it is in the list of people.",
        )


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    content = await call.get(f"v1/content/{call.guid}")
    people = (await call.get("v1/users", page_size=str(SUGGESTED)))["results"]
    groups = (await call.get("v1/groups", page_size=str(SUGGESTED)))["results"]
    return {
        "head": head,
        "tab": "access",
        "access": Access(content["access_type"]),
        "choices": list(Access),
        "shares": await call.services.shares(call.who, call.guid),
        "suggested": [*(user["username"] for user in people), *(group["name"] for group in groups)],
    }


async def _audience(call: Call) -> str:
    await call.ask("PATCH", f"v1/content/{call.guid}", {"access_type": call.text("access_type")})
    return _back(call, "saved")


async def _give(call: Call) -> str:
    kind, guid = await find_principal(call, call.text("name"))
    wanted = {"principal_guid": guid, "principal_type": kind, "role": call.text("role")}
    await call.ask("POST", f"v1/content/{call.guid}/permissions", wanted)
    return _back(call, "given")


async def _take(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/permissions/{part(call.text('permission'))}")
    return _back(call, "taken")


async def find_principal(call: Call, name: str) -> tuple[str, str]:
    """Return ``user`` or ``group`` and the guid of whoever is called exactly that, case ignored.

    Raises:
        Invalid: nobody is.
    """
    user = await find_user(call, name)
    if user is not None:
        return "user", str(user["guid"])
    groups = (await call.get("v1/groups", prefix=name, page_size="500"))["results"]
    group = next((one for one in groups if one["name"].lower() == name.lower()), None)
    if group is None:
        raise _NotHere(name)
    return "group", str(group["guid"])


async def find_user(call: Call, name: str) -> dict[str, Any] | None:
    """Return the account of this name, case ignored."""
    if not name:
        raise _NotHere(name)
    users = (await call.get("v1/users", prefix=name, page_size="500"))["results"]
    found: dict[str, Any] | None = next((one for one in users if one["username"].lower() == name.lower()), None)
    return found


async def user_guid(call: Call, name: str) -> str:
    """As `find_user`. Raises: Invalid."""
    user = await find_user(call, name)
    if user is None:
        raise _NotHere(name)
    return str(user["guid"])


def _back(call: Call, said: str) -> str:
    return done(f"apps/{call.guid}/access", said)


SCREEN = Screen(
    path="apps/{guid:uuid}/access",
    template="item_access.html",
    load=_load,
    acts={"audience": _audience, "give": _give, "take": _take},
)
