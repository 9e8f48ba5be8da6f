"""What administrators look at: the server, its settings, its queue, its tags and who changed what."""

from __future__ import annotations

from typing import Any

from rostra.errors import Forbidden
from rostra.web.paged import page_number, pager
from rostra.web.screens import Call, Screen, done, part
from rostra.web.tag_tree import tree

SIZE = 50  # rows on a page


class AdministratorsOnly(Forbidden):
    code = "administrators-only"

    def __init__(self) -> None:
        super().__init__("this page is for administrators", hint="Ask one of them.")


def check(call: Call) -> None:
    """Raises: AdministratorsOnly."""
    if not call.who.is_administrator:
        raise AdministratorsOnly


async def _overview(call: Call) -> dict[str, Any]:
    check(call)
    runs = await call.get("v1/system/checks")
    results = await call.get(f"v1/system/checks/{runs[0]['id']}/results") if runs else {"results": []}
    storage = await call.get("v1/system/storage")
    return {
        "pill": "server",
        "about": await call.get("server_settings"),
        "storage": storage,
        "folders": sorted(
            [*storage["folders"], {"name": "database", "bytes": storage["database_bytes"]}],
            key=lambda one: -one["bytes"],
        ),
        "run": runs[0] if runs else None,
        "results": results["results"],
        "queue": (await call.get("v1/queue", page_size="1"))["total"],
        "largest": (await call.get("v1/content/storage", page_size="10"))["results"],
        "titles": {row.guid: row.title for row in await call.services.my_content(call.who)},
    }


async def _run_checks(call: Call) -> str:
    await call.ask("POST", "v1/system/checks")
    return done("server", "checked")


async def _test_mail(call: Call) -> str:
    task = await call.ask("POST", "v1/tasks/send-test-email", {"to": call.text("to")})
    return f"tasks/{task['task_id']}"


async def _settings(call: Call) -> dict[str, Any]:
    check(call)
    rows = await call.services.settings_in_force(call.who)
    sections: dict[str, list[Any]] = {}
    for row in rows:
        sections.setdefault(row.name.partition(".")[0], []).append(row)
    return {"pill": "settings", "sections": sections}


async def _queue(call: Call) -> dict[str, Any]:
    check(call)
    number = page_number(call)
    found = await call.get("v1/queue", page_number=str(number), page_size=str(SIZE))
    return {
        "pill": "queue",
        "tasks": found["results"],
        "pages": pager(call, number, found["total"], SIZE),
        "titles": {row.guid: row.title for row in await call.services.my_content(call.who)},
    }


async def _audit(call: Call) -> dict[str, Any]:
    check(call)
    query = {name: call.asked(name) for name in ("next", "previous", "action", "user_guid")}
    asked = {name: value for name, value in query.items() if value}
    return {"pill": "audit", "log": await call.get("v1/audit_logs", limit=str(SIZE), **asked), "query": query}


async def _entry(call: Call) -> dict[str, Any]:
    check(call)
    return {"pill": "audit", "entry": await call.get(f"v1/audit_logs/{part(call.param('number'))}")}


async def _tags(call: Call) -> dict[str, Any]:
    check(call)
    return {"pill": "tags", "tags": tree(await call.get("v1/tags"))}


async def _new_tag(call: Call) -> str:
    parent = call.text("parent")
    await call.ask("POST", "v1/tags", {"name": call.text("name"), **({"parent_id": parent} if parent else {})})
    return done("tags", "made")


async def _rename_tag(call: Call) -> str:
    await call.ask("PATCH", f"v1/tags/{part(call.text('tag'))}", {"name": call.text("name")})
    return done("tags", "saved")


async def _delete_tag(call: Call) -> str:
    await call.ask("DELETE", f"v1/tags/{part(call.text('tag'))}")
    return done("tags", "deleted")


SCREENS = (
    Screen(
        path="server",
        template="server.html",
        here="server",
        load=_overview,
        acts={"checks": _run_checks, "mail": _test_mail},
    ),
    Screen(path="server/settings", template="server_settings.html", here="server", load=_settings),
    Screen(path="server/queue", template="queue.html", here="server", load=_queue),
    Screen(path="audit", template="audit.html", here="server", load=_audit),
    Screen(path="audit/{number:int}", template="audit_entry.html", here="server", load=_entry),
    Screen(
        path="tags",
        template="tags.html",
        here="server",
        load=_tags,
        acts={"new": _new_tag, "rename": _rename_tag, "delete": _delete_tag},
    ),
)
