"""The page of an item's settings: what it is called, where it is found, how it runs, whose it is, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rostra.errors import Invalid
from rostra.web.item_access import user_guid
from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done, part
from rostra.web.tag_tree import tree

LARGEST_PICTURE = 10_000_000  # bytes, as the API takes them
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of the process settings; ``scale`` is how many of the API's units one on the page is."""

    name: str
    label: str
    unit: str
    help: str
    fraction: bool = False
    scale: int = 1


LIMITS = (
    Limit("min_processes", "Always running", "processes", "So many run even when nobody visits."),
    Limit("max_processes", "At most", "processes", "More visitors wait, or share those that run."),
    Limit("max_conns_per_process", "Visitors for each process", "connections", "Above this another one is started."),
    Limit("load_factor", "Load factor", "0 to 1", "How full processes may be before another one starts.", True),
    Limit("init_timeout", "Start within", "seconds", "Longer is taken for a failure."),
    Limit("idle_timeout", "End when unused for", "seconds", "Then a process is ended, down to those always running."),
    Limit(
        "connection_timeout", "Close a silent connection after", "seconds", "Browsers that went away without a word."
    ),
    Limit("read_timeout", "Answer within", "seconds", "A request that takes longer is given up."),
    Limit("memory_limit", "Memory", "MB", "A process that takes more is ended.", scale=_MB),
    Limit("cpu_limit", "Processor", "cores", "A process gets no more than this.", True),
)


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    content = await call.get(f"v1/content/{call.guid}", include="owner,tags,vanity_url")
    defaults = await call.get("server_settings/scheduler")
    mine = {tag["id"] for tag in await call.get(f"v1/content/{call.guid}/tags")}
    return {
        "head": head,
        "tab": "settings",
        "content": content,
        "limits": [(limit, _shown(limit, content), _default(limit, defaults)) for limit in LIMITS],
        "tags": tree(await call.get("v1/tags"), mine),
        "people": [user["username"] for user in (await call.get("v1/users", page_size="200"))["results"]],
        "largest_picture": LARGEST_PICTURE,
    }


def _shown(limit: Limit, content: dict[str, Any]) -> str:
    value = content[limit.name]
    return "" if value is None else _plain(value / limit.scale)


def _default(limit: Limit, defaults: dict[str, Any]) -> str:
    value = defaults.get(limit.name)
    return _plain(value / limit.scale) if value else "no limit" if limit.name.endswith("_limit") else str(value or 0)


def _plain(value: float) -> str:
    return f"{value:g}" if value != int(value) else str(int(value))


async def _about(call: Call) -> str:
    wanted = {"title": call.text("title") or None, "description": call.text("description").replace("\r\n", "\n")}
    return await _change(call, wanted)


async def _processes(call: Call) -> str:
    wanted: dict[str, Any] = {}
    for limit in LIMITS:
        number = (call.number if limit.fraction else call.whole)(limit.name, limit.label)
        wanted[limit.name] = None if number is None else number * limit.scale
    return await _change(call, wanted)


async def _lock(call: Call) -> str:
    message = call.text("message").replace("\r\n", "\n")
    await call.ask("PATCH", f"v1/content/{call.guid}", {"locked": True, "locked_message": message})
    return _back(call, "locked")


async def _unlock(call: Call) -> str:
    await call.ask("PATCH", f"v1/content/{call.guid}", {"locked": False})
    return _back(call, "unlocked")


async def _transfer(call: Call) -> str:
    guid = await user_guid(call, call.text("owner"))
    await call.ask("PATCH", f"v1/content/{call.guid}", {"owner_guid": guid})
    return done("", "saved")  # whoever gave it away may not see it any more


async def _path(call: Call) -> str:
    path = call.text("path")
    if path:
        await call.ask("PUT", f"v1/content/{call.guid}/vanity", {"path": path, "force": call.ticked("force")})
    elif (await call.get(f"v1/content/{call.guid}", include="vanity_url")).get("vanity_url"):
        await call.ask("DELETE", f"v1/content/{call.guid}/vanity")
    return _back(call, "saved")


async def _tags(call: Call) -> str:
    """Only what differs is sent, removals first: a tag that is taken away takes those below it along."""
    there = {tag["id"] for tag in await call.get(f"v1/content/{call.guid}/tags")}
    wanted = {name.removeprefix("tag-") for name in call.form if name.startswith("tag-")}
    for tag in sorted(there - wanted, key=int):
        if tag in {one["id"] for one in await call.get(f"v1/content/{call.guid}/tags")}:
            await call.ask("DELETE", f"v1/content/{call.guid}/tags/{part(tag)}")
    for tag in _numbers(wanted - there):
        await call.ask("POST", f"v1/content/{call.guid}/tags", {"tag_id": tag})
    return _back(call, "saved")


def _numbers(tags: set[str]) -> Sequence[str]:
    return sorted(tags)


async def _picture(call: Call) -> str:
    if not call.file:
        raise Invalid("no picture was chosen", hint="Choose a PNG, JPEG, GIF or WebP file.")
    await call.ask("PUT", f"v1/content/{call.guid}/thumbnail", call.file)
    return _back(call, "saved")


async def _no_picture(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/thumbnail")
    return _back(call, "removed")


async def _delete(call: Call) -> str:
    content = await call.get(f"v1/content/{call.guid}")
    if call.text("name") != (content["title"] or content["name"]):
        raise Invalid("the title is not the same", hint="Write it as it stands at the top of this page.")
    await call.ask("DELETE", f"v1/content/{call.guid}")
    return done("", "deleted")


async def _change(call: Call, wanted: dict[str, Any]) -> str:
    await call.ask("PATCH", f"v1/content/{call.guid}", wanted)
    return _back(call, "saved")


def _back(call: Call, said: str) -> str:
    return done(f"apps/{call.guid}/settings", said)


SCREEN = Screen(
    path="apps/{guid:uuid}/settings",
    template="item_settings.html",
    load=_load,
    acts={
        "about": _about,
        "path": _path,
        "processes": _processes,
        "tags": _tags,
        "picture": _picture,
        "no-picture": _no_picture,
        "owner": _transfer,
        "lock": _lock,
        "unlock": _unlock,
        "delete": _delete,
    },
    uploads={"picture": LARGEST_PICTURE},
)
