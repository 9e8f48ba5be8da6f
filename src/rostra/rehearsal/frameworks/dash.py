"""Dash: the callbacks a browser calls as soon as it has the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from rostra.rehearsal import page as pages
from rostra.rehearsal.session import Opened, Session


async def use(opened: Opened, seconds: float) -> Session:
    async def told(name: str) -> Any:
        return json.loads((await asyncio.to_thread(pages.get, opened.socket, f"{opened.base}{name}", seconds)).text)

    values = values_of(await told("_dash-layout"))
    for callback in await told("_dash-dependencies"):
        call = call_of(callback, values)
        if call is None:
            continue
        body = json.dumps(call).encode()
        path = f"{opened.base}_dash-update-component"
        answer = await asyncio.to_thread(pages.get, opened.socket, path, seconds, body=body)
        if answer.status >= 500:
            return Session(failed=f"the callback for {callback['output']} answers {answer.status}")
    return Session()


def values_of(layout: object) -> dict[tuple[str, str], Any]:
    """Return the first value of every property of every component that has a plain id."""
    found: dict[tuple[str, str], Any] = {}
    waiting = [layout]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            properties = part.get("props")
            if isinstance(properties, dict) and isinstance(properties.get("id"), str):
                found |= {(properties["id"], name): value for name, value in properties.items()}
                found[properties["id"], ""] = None
            waiting += part.values()
    return found


def call_of(callback: Mapping[str, Any], values: Mapping[tuple[str, str], Any]) -> dict[str, Any] | None:
    """Return the first call of a callback; None for one that a browser does not call, or not with what is known."""
    names = [*callback["inputs"], *callback["state"]]
    known = all(isinstance(each["id"], str) and (each["id"], "") in values for each in names)
    output = str(callback["output"])
    if (
        not known
        or not callback["inputs"]
        or callback.get("prevent_initial_call")
        or callback.get("clientside_function")
    ):
        return None
    if "{" in output or any((part, "") not in values for part, _ in _outputs(output)):
        return None

    def filled(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**each, "value": values.get((each["id"], each["property"]))} for each in parts]

    outputs = [{"id": part, "property": name} for part, name in _outputs(output)]
    return {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": filled(callback["inputs"]),
        "state": filled(callback["state"]),
        "changedPropIds": [],
    }


def _outputs(output: str) -> list[tuple[str, str]]:
    words = output.strip(".").split("...") if output.startswith("..") else [output]
    pairs = [word.rpartition(".") for word in words]
    return [(part, name.partition("@")[0]) for part, _, name in pairs]
