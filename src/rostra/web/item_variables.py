"""The page of an item's environment variables: names are shown, values are only ever written."""

from __future__ import annotations

from typing import Any

from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done

LONGEST = 400_000  # bytes of the form: a value may have 100 kB, and each byte may be written as three


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    names = await call.get(f"v1/content/{call.guid}/environment")
    return {"head": head, "tab": "variables", "names": names}


async def _set(call: Call) -> str:
    # The value as it was written: spaces at its ends may matter. Browsers send line ends as two characters.
    value = call.form.get("value", "").replace("\r\n", "\n")
    await call.ask("PATCH", f"v1/content/{call.guid}/environment", [{"name": call.text("name"), "value": value}])
    return done(f"apps/{call.guid}/variables", "set")


async def _remove(call: Call) -> str:
    await call.ask("PATCH", f"v1/content/{call.guid}/environment", [{"name": call.text("name"), "value": None}])
    return done(f"apps/{call.guid}/variables", "removed")


SCREEN = Screen(
    path="apps/{guid:uuid}/variables",
    template="item_variables.html",
    load=_load,
    acts={"set": _set, "remove": _remove},
    longest=LONGEST,
)
