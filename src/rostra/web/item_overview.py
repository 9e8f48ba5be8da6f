"""The first page of an item: its versions, what runs of it, and what its document looked like."""

from __future__ import annotations

from typing import Any

from rostra.web.from_git import repository
from rostra.web.screens import Call, Screen, done, part


async def _load(call: Call) -> dict[str, Any]:
    item = await call.services.item(call.who, call.guid)
    head = await call.services.head(call.who, call.guid)
    origin = await repository(call) if head.may_change else None
    takes = head.rendered and not head.may_change and bool(await call.get(f"v1/content/{call.guid}/parameters"))
    return {"head": head, "tab": "overview", "item": item, "repository": origin, "takes_values": takes}


async def _activate(call: Call) -> str:
    """A version that was built is switched to; one that was not is built and proven first."""
    return await _deploy(call, {"bundle_id": call.text("bundle")})


async def _rebuild(call: Call) -> str:
    return await _deploy(call, {})


async def _deploy(call: Call, body: dict[str, Any]) -> str:
    task = await call.ask("POST", f"v1/content/{call.guid}/deploy", body)
    return f"tasks/{task['task_id']}"


async def _delete(call: Call) -> str:
    await call.ask("DELETE", f"v1/content/{call.guid}/bundles/{part(call.text('bundle'))}")
    return done(f"apps/{call.guid}", "deleted")


async def _render(call: Call) -> str:
    task = await call.ask("POST", f"v1/content/{call.guid}/render", {})
    return f"tasks/{task['task_id']}"


async def _restart(call: Call) -> str:
    await call.ask("POST", f"v1/content/{call.guid}/restart")
    return done(f"apps/{call.guid}", "restarted")


async def _end(call: Call) -> str:
    job = call.text("job")
    await call.ask("DELETE", f"v1/content/{call.guid}/jobs/{part(job)}")
    if task := call.text("task"):
        return done(f"tasks/{part(task)}", "stopped")
    said = "ended" if call.text("what") in {"", "process"} else "stopped"
    return done(f"apps/{call.guid}/logs", said, job=job)


SCREEN = Screen(
    path="apps/{guid:uuid}",
    template="item.html",
    load=_load,
    acts={
        "activate": _activate,
        "delete-version": _delete,
        "render": _render,
        "restart": _restart,
        "rebuild": _rebuild,
        "end-job": _end,
    },
)
