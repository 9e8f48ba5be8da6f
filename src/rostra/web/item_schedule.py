"""The page of a document's renderings: its variants, when each is rendered, and who is mailed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rostra.errors import Invalid, NotFound
from rostra.web import item_run, schedule_form
from rostra.web.item_access import SUGGESTED, user_guid
from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done, part

_FLAGS = ("email_collaborators", "email_viewers", "email_all")


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    variants = await call.get(f"v1/content/{call.guid}/variants")
    key = _key(call)
    variant = next((one for one in variants if one["key"] == key), variants[0] if variants and not key else None)
    if variant is None:
        raise NotFound("this document has no such variant", hint="Choose one from the list.")
    schedule, now = await _schedule(call, variant["key"]), call.services.clock.now()
    again, declared = "every" in call.form, await item_run.taken(call)
    return {
        "head": head,
        "tab": "schedule",
        "variants": variants,
        "variant": variant,
        "changing": _fields(declared, variant["parameters"], call.form if call.text("sent") == "change" else {}),
        "adding": _fields(declared, {}, call.form if call.text("sent") == "new" else {}),
        "schedule": schedule,
        "fields": schedule_form.filled(call.form) if again else schedule_form.fields(schedule, now),
        "kinds": schedule_form.KINDS,
        "days": schedule_form.DAYS,
        "zones": await call.get("v1/timezones"),
        "renderings": (await call.get(f"v1/content/{call.guid}/renderings", variant_key=variant["key"]))[:20],
        "subscribers": await call.get(f"variants/{variant['id']}/subscribers"),
        "watchers": await call.get(f"v1/content/{call.guid}/failure-subscribers"),
        "suggested": [user["username"] for user in (await call.get("v1/users", page_size=str(SUGGESTED)))["results"]],
    }


async def _schedule(call: Call, key: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await call.get(f"v1/content/{call.guid}/schedule", variant_key=key)
    except NotFound:
        return None
    return found


def _key(call: Call) -> str:
    return call.text("variant") or call.asked("variant")


def _where(call: Call, what: str) -> str:
    return f"v1/content/{call.guid}/{what}?variant_key={part(_key(call))}"


async def _set(call: Call) -> str:
    await call.ask("PUT", _where(call, "schedule"), schedule_form.body(call.form, call.whole))
    return _back(call, "scheduled")


async def _unset(call: Call) -> str:
    await call.ask("DELETE", _where(call, "schedule"))
    return _back(call, "removed")


async def _pause(call: Call) -> str:
    await call.ask("PUT", _where(call, "schedule"), {"paused": call.text("paused") == "yes"})
    return _back(call, "saved")


async def _render(call: Call) -> str:
    task = await call.ask("POST", f"v1/content/{call.guid}/render", {"variant_key": _key(call) or None})
    return f"tasks/{task['task_id']}"


async def _mail(call: Call) -> str:
    wanted = {flag: call.ticked(flag) for flag in _FLAGS}
    await call.ask("PATCH", f"v1/content/{call.guid}/variants/{part(_key(call))}", wanted)
    return _back(call, "saved")


async def _send(call: Call) -> str:
    task = await call.ask("POST", f"variants/{part(call.text('id'))}/sender", {"email": call.text("to")})
    return f"tasks/{task['id']}"


async def _subscribe(call: Call) -> str:
    guid = await user_guid(call, call.text("name"))
    await call.ask("POST", f"variants/{part(call.text('id'))}/subscribers", {"guid": guid})
    return _back(call, "subscribed")


async def _unsubscribe(call: Call) -> str:
    await call.ask("DELETE", f"variants/{part(call.text('id'))}/subscribers/{part(call.text('person'))}")
    return _back(call, "removed")


async def _watch(call: Call) -> str:
    guid = await user_guid(call, call.text("name"))
    await call.ask("PUT", f"v1/content/{call.guid}/failure-subscribers/{guid}")
    return _back(call, "subscribed")


async def _unwatch(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/failure-subscribers/{part(call.text('person'))}")
    return _back(call, "removed")


async def _new(call: Call) -> str:
    given = await _values(call, {})
    wanted = {"name": call.text("name"), "visibility": call.text("visibility"), "parameters": given}
    made = await call.ask("POST", f"v1/content/{call.guid}/variants", wanted)
    return done(f"apps/{call.guid}/schedule", "made", variant=made["key"])


async def _change(call: Call) -> str:
    path = f"v1/content/{call.guid}/variants/{part(_key(call))}"
    before = (await call.get(path))["parameters"]
    wanted = {"name": call.text("name"), "parameters": await _values(call, before)}
    if call.text("visibility"):
        wanted["visibility"] = call.text("visibility")
    await call.ask("PATCH", path, wanted)
    return _back(call, "saved")


async def _remove(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/variants/{part(_key(call))}")
    return done(f"apps/{call.guid}/schedule", "deleted")


def _fields(
    declared: Sequence[Mapping[str, Any]], values: Mapping[str, Any], form: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a variant's form shows: a field for each value the document declares, the others as JSON."""
    names = {one["name"] for one in declared}
    other = {name: value for name, value in values.items() if name not in names}
    written = json.dumps(other, indent=2, ensure_ascii=False) if other else ""
    return {"declared": item_run.filled(declared, values, form), "other": form.get("parameters", written)}


async def _values(call: Call, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a variant that was filled in; ``before`` are those it had."""
    declared = await item_run.taken(call)
    return _parameters(call) | differing(declared, item_run.values(declared, call.form), before)


def differing(
    declared: Sequence[Mapping[str, Any]], given: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """Leave out what the document has by itself, so that a default its author changes later counts.

    What was set before stays set.
    """
    usual = {one["name"]: one["value"] for one in declared}
    return {name: value for name, value in given.items() if name in before or value != usual[name]}


def _parameters(call: Call) -> dict[str, Any]:
    text = call.text("parameters")
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError) as why:
        raise Invalid(
            "the parameters are not JSON", hint='Write for example {"region": "north", "year": 2026}.'
        ) from why
    if not isinstance(given, dict):
        raise Invalid("the parameters are not names with values", hint='Write for example {"region": "north"}.')
    return given


def _back(call: Call, said: str) -> str:
    return done(f"apps/{call.guid}/schedule", said, variant=_key(call))


SCREEN = Screen(
    path="apps/{guid:uuid}/schedule",
    template="item_schedule.html",
    load=_load,
    acts={
        "set": _set,
        "unset": _unset,
        "pause": _pause,
        "render": _render,
        "mail": _mail,
        "send": _send,
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "watch": _watch,
        "unwatch": _unwatch,
        "new": _new,
        "change": _change,
        "remove": _remove,
    },
    longest=300_000,
)
