"""What content runs on: every Python with its state, end of life and use, and rehearsals of taking one away."""

from __future__ import annotations

from typing import Any

from packaging.version import Version

from rostra.rehearsal.model import Step
from rostra.web.screens import Call, Screen, done, part
from rostra.web.server_screens import check

STEPS = {
    Step.match: "only look which Python would be chosen",
    Step.resolve: "find versions of the packages",
    Step.build: "also install them, aside",
    Step.start: "also start or render everything, aside",
    Step.static: "also compile the code and look for what was removed",
}


async def _load(call: Call) -> dict[str, Any]:
    rows = await call.services.runtimes(call.who)
    if not call.who.is_administrator:
        return {"rows": rows, "audit": {}, "items": {}, "rehearsals": [], "caches": [], "steps": {}, "beside": {}}
    audit = await call.get("v1/audit/runtimes")
    items: dict[str, list[Any]] = {}
    for item in audit["items"]:
        items.setdefault(item["version"], []).append(item)
    shown = {row.version for row in rows}
    return {
        "rows": rows,
        "audit": {row["version"]: row for row in audit["versions"]},
        "items": items,
        "gone": [row for row in audit["versions"] if row["version"] not in shown],
        "caches": [one["version"] for one in (await call.get("v1/system/caches/runtime"))["caches"]],
        "rehearsals": (await call.get("v1/rehearsals"))[:20],
        "steps": {step.value: words for step, words in STEPS.items()},
        "beside": {
            name: [one["version"] for one in (await call.get(f"v1/server_settings/{path}"))["installations"]]
            for name, path in (("R", "r"), ("Quarto", "quarto"))
        },
    }


async def _environments(call: Call) -> dict[str, Any]:
    check(call)
    rows = await call.get("v1/audit/environments")
    return {"rows": sorted(rows, key=_newest_first), "own": sum(row["own_bytes"] or 0 for row in rows)}


def _newest_first(row: dict[str, Any]) -> tuple[object, ...]:
    """Order by Python, newest first, those of content before the server's own, the heaviest first."""
    version = Version(row["python"])
    return (*(-part for part in version.release), row["sort"] != "environment", -(row["own_bytes"] or 0), row["key"])


async def _rehearse(call: Call) -> str:
    wanted = {"retire": call.text("retire"), "depth": call.text("depth")}
    made = await call.ask("POST", "v1/rehearsals", wanted)
    return f"runtimes/rehearsals/{made['id']}"


async def _forget(call: Call) -> str:
    version = call.text("version")
    wanted = {"language": "Python", "version": version, "image_name": "Local"}
    made = await call.ask("DELETE", "v1/system/caches/runtime", wanted)
    return f"tasks/{made['task_id']}"


async def _rehearsal(call: Call) -> dict[str, Any]:
    check(call)
    number = part(call.param("rehearsal"))
    report = await call.get(f"v1/rehearsals/{number}/report")
    return {"rehearsal": report, "affected": report["items"]}


async def _cancel(call: Call) -> str:
    number = call.param("rehearsal")
    await call.ask("DELETE", f"v1/rehearsals/{part(number)}")
    return done(f"runtimes/rehearsals/{number}", "stopped")


async def _move(call: Call) -> str:
    number = call.param("rehearsal")
    await call.ask("POST", f"v1/rehearsals/{part(number)}/rebuild")
    return done("server/queue", "moving")


SCREENS = (
    Screen(
        path="runtimes",
        template="runtimes.html",
        here="runtimes",
        load=_load,
        acts={"rehearse": _rehearse, "forget": _forget},
    ),
    Screen(
        path="runtimes/environments",
        template="environments.html",
        here="runtimes",
        load=_environments,
    ),
    Screen(
        path="runtimes/rehearsals/{rehearsal:str}",
        template="rehearsal.html",
        here="runtimes",
        load=_rehearsal,
        acts={"cancel": _cancel, "move": _move},
    ),
)
