"""The pages on which one publishes from a Git repository, and says where an item comes from."""

from __future__ import annotations

import re
from typing import Any

from rostra.errors import Invalid, NotFound, Problem
from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen, done

_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


async def repository(call: Call) -> dict[str, Any] | None:
    """Return where the item comes from, None when from nowhere."""
    try:
        found: dict[str, Any] = await call.get(f"v1/content/{call.guid}/repository")
    except NotFound:
        return None
    return found


async def _load_new(call: Call) -> dict[str, Any]:
    return {"offered": (await call.get("server_settings"))["git_available"]}


async def _publish(call: Call) -> str:
    """Make an item, say where it comes from and deploy it. What cannot come from there leaves no item behind."""
    title = call.text("title")
    wanted = {"name": await _free_name(call, title or _project(call.text("repository")))}
    made = await call.ask("POST", "v1/content", wanted | ({"title": title} if title else {}))
    try:
        await call.ask("PUT", f"v1/content/{made['guid']}/repository", _fields(call))
        task = await call.ask("POST", f"v1/content/{made['guid']}/deploy", {})
    except Problem:
        await call.ask("DELETE", f"v1/content/{made['guid']}")
        raise
    return f"tasks/{task['task_id']}"


def _project(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git")


async def _free_name(call: Call, wanted: str) -> str:
    """Return a name the person has no content of yet, made of a title or an address."""
    if not wanted:
        raise Invalid("the address of the repository is missing", hint="Write it as https://host/path.")
    name = _ODD.sub("-", wanted).strip("-.")[:50]
    name = name if len(name) >= 3 else f"{name}-from-git"
    for number in ("", *range(2, 100)):
        tried = f"{name}-{number}" if number else name
        if not await call.get("v1/content", name=tried):
            return tried
    return f"{name}-{call.services.clock.now():%Y%m%d%H%M%S}"


def _fields(call: Call) -> dict[str, Any]:
    return {
        "repository": call.text("repository"),
        "branch": call.text("branch") or "main",
        "directory": call.text("directory") or ".",
        "polling": call.ticked("polling"),
    }


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    offered = (await call.get("server_settings"))["git_available"]
    return {"head": head, "tab": "git", "repository": await repository(call), "offered": offered}


async def _save(call: Call) -> str:
    await call.ask("PUT", f"v1/content/{call.guid}/repository", _fields(call))
    return done(f"apps/{call.guid}/git", "saved")


async def _update(call: Call) -> str:
    task = await call.ask("POST", f"v1/content/{call.guid}/deploy", {})
    return f"tasks/{task['task_id']}"


async def _remove(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/repository")
    return done(f"apps/{call.guid}/git", "removed")


SCREENS = (
    Screen(path="git", template="git.html", load=_load_new, acts={"publish": _publish}),
    Screen(
        path="apps/{guid:uuid}/git",
        template="item_git.html",
        load=_load,
        acts={"save": _save, "update": _update, "remove": _remove},
    ),
)
