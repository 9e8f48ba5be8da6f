"""The page on which a document is rendered with values of somebody's own, and what came of that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rostra.errors import Invalid
from rostra.web.screens import Call, Screen, done, part

MOST_SHOWN = 60  # fields of one form


async def _load(call: Call) -> dict[str, Any]:
    head = await call.services.head(call.who, call.guid)
    declared = await taken(call)
    variants = await call.get(f"v1/content/{call.guid}/variants")
    key = call.text("base") or call.asked("base")
    base = next((one for one in variants if one["key"] == key), variants[0] if variants else None)
    return {
        "head": head,
        "tab": "run",
        "declared": filled(declared, base["parameters"] if base else {}, call.form),
        "variants": variants,
        "base": base,
        "looks": await call.get(f"v1/content/{call.guid}/ad-hoc-variants"),
    }


async def taken(call: Call) -> list[dict[str, Any]]:
    """Return the values the document says it takes, as many as a form shows."""
    found: list[dict[str, Any]] = await call.get(f"v1/content/{call.guid}/parameters")
    return found[:MOST_SHOWN]


def filled(
    declared: Sequence[Mapping[str, Any]], values: Mapping[str, Any], form: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the parameters with what stands in their fields."""
    return [{**one, "shown": shown(one, values, form)} for one in declared]


def shown(one: Mapping[str, Any], values: Mapping[str, Any], form: Mapping[str, str]) -> Any:
    """Return what stands in a parameter's field: what was filled in, else the variant's value, else the default.

    Of a choice that are the places of the chosen ones.
    """
    value = values.get(one["name"], one["value"])
    if one["choices"]:
        if "sent" in form:
            return [place for place in range(len(one["choices"])) if _chosen(form, one, place)]
        wanted = value if isinstance(value, list) else [value]
        return [place for place, choice in enumerate(one["choices"]) if choice["value"] in wanted]
    if one["input"] == "checkbox":
        return _field(one) in form if "sent" in form else value is True
    if _field(one) in form:
        return form[_field(one)]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def values(declared: Sequence[Mapping[str, Any]], form: Mapping[str, str]) -> dict[str, Any]:
    """Return what was filled in as JSON; what was left empty is left out, so that the document's default counts.

    Raises:
        Invalid
    """
    found = {}
    for one in declared:
        name, text = one["name"], form.get(_field(one), "")
        if one["choices"]:
            chosen = [choice["value"] for place, choice in enumerate(one["choices"]) if _chosen(form, one, place)]
            if one["multiple"] or chosen:
                found[name] = chosen if one["multiple"] else chosen[0]
        elif one["input"] == "checkbox":
            found[name] = _field(one) in form
        elif text.strip() and one["input"] != "file":
            found[name] = _read(one, text.replace("\r\n", "\n"))
    return found


def _read(one: Mapping[str, Any], text: str) -> Any:
    called, usual = one["label"] or one["name"], one["value"]
    if one["input"] in ("numeric", "slider"):
        try:
            number = float(text)
            return int(number) if number.is_integer() and "." not in text else number
        except (ValueError, OverflowError):
            raise Invalid(f"{called} must be a number", hint="Correct it, or leave it empty.") from None
    if isinstance(usual, list | dict):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Invalid(f"{called} is not JSON", hint=f"Write it as {json.dumps(usual)[:200]}.") from None
    return text.strip() if one["input"] in ("date", "datetime") else text


def _field(one: Mapping[str, Any]) -> str:
    return f"p-{one['name']}"


def _chosen(form: Mapping[str, str], one: Mapping[str, Any], place: int) -> bool:
    return f"{_field(one)}-{place}" in form if one["multiple"] else form.get(_field(one)) == str(place)


async def _render(call: Call) -> str:
    declared = await taken(call)
    given = values(declared, call.form) if declared else _written(call)
    body = {"variant_key": call.text("base") or None, "parameters": given}
    await call.ask("POST", f"v1/content/{call.guid}/render", body)
    return done(f"apps/{call.guid}/run", "asked")


def _written(call: Call) -> dict[str, Any]:
    """Return values for a document that does not say which it takes."""
    try:
        given = json.loads(call.text("parameters") or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Invalid("the values are not JSON", hint='Write for example {"region": "north", "year": 2026}.')
    return given


async def _keep(call: Call) -> str:
    wanted = {"ad_hoc": False, "name": call.text("name"), "visibility": call.text("visibility")}
    await call.ask("PATCH", f"v1/content/{call.guid}/variants/{part(call.text('variant'))}", wanted)
    return done(f"apps/{call.guid}/schedule", "kept", variant=call.text("variant"))


SCREEN = Screen(
    path="apps/{guid:uuid}/run",
    template="item_run.html",
    load=_load,
    acts={"render": _render, "keep": _keep},
    longest=300_000,
)
