"""Shiny for Python and for R: the server function runs for each session, outputs when they are said to be visible."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from bs4 import BeautifulSoup, Tag
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rostra.rehearsal.page import HOST
from rostra.rehearsal.session import QUIET_SECONDS, Opened, Session


async def use(opened: Opened, _: float) -> Session:
    async with opened.talk(f"{opened.base}websocket/") as talking:
        told_it = inputs_of(opened.page.text)
        await talking.send(json.dumps({"method": "init", "data": told_it}))
        begun = busy = answered = False
        with contextlib.suppress(ConnectionClosed):
            while busy or not answered:
                told = await _within(talking, None if busy or not begun else QUIET_SECONDS)
                if told is None:
                    break  # it waits for its visitor
                if errors := _failures(told):
                    return Session(failed=_error(errors))
                begun, busy = True, told.get("busy", "busy" if busy else "idle") == "busy"
                answered = answered or "values" in told
                if new := {key: value for key, value in inputs_of(_markup(told)).items() if key not in told_it}:
                    told_it |= new
                    await talking.send(json.dumps({"method": "update", "data": new}))
                    answered = False
            return Session()
    return Session(failed="its server function failed")


def _failures(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs that failed, without those that only wait for their visitor."""
    errors = told.get("errors")
    return {} if not isinstance(errors, dict) else {k: v for k, v in errors.items() if not _silent(v)}


def _silent(told: object) -> bool:
    sort = told.get("type") if isinstance(told, dict) else None
    return "shiny.silent.error" in (sort if isinstance(sort, list) else [sort])


def _markup(told: Mapping[str, Any]) -> str:
    """Return what outputs have made of the page: a browser would show it, and ask for the outputs in it."""
    values = told.get("values")
    made = values.values() if isinstance(values, dict) else ()
    return "".join(str(each["html"]) for each in made if isinstance(each, dict) and "html" in each)


async def _within(talking: ClientConnection, seconds: float | None) -> dict[str, Any] | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            told: dict[str, Any] = json.loads(await talking.recv())
            return told
    return None


def _error(errors: Mapping[str, Any]) -> str:
    name, told = next(iter(errors.items()))
    said = told.get("message", "") if isinstance(told, dict) else told
    return f"the output {name} failed: {said}"


def inputs_of(html: str) -> dict[str, Any]:
    """Return what a browser would say first: which outputs are visible, and the values its inputs begin with."""
    soup = BeautifulSoup(html, "html.parser")
    told: dict[str, Any] = {
        ".clientdata_pixelratio": 1,
        ".clientdata_url_protocol": "http:",
        ".clientdata_url_hostname": HOST,
        ".clientdata_url_pathname": "/",
        ".clientdata_url_search": "",
    }
    for output in soup.find_all(class_=re.compile(r"shiny-[\w-]*output")):
        if name := output.get("id"):
            told |= {
                f".clientdata_output_{name}_hidden": False,
                f".clientdata_output_{name}_width": 600,
                f".clientdata_output_{name}_height": 400,
            }
    for control in soup.find_all(["input", "textarea", "select"]):
        told |= _input(control)
    return told


def _input(control: Tag) -> dict[str, Any]:
    name, sort = str(control.get("id") or ""), str(control.get("type") or "text")
    if not name:
        return {}
    if control.name == "select":
        return {name: _chosen(control)}
    if "js-range-slider" in (control.get("class") or []):
        plain = str(control.get("data-data-type") or "number") == "number" and control.get("data-type") != "double"
        return _number(name, control.get("data-from")) if plain else {}
    if sort == "number":
        return _number(name, control.get("value"))
    if sort == "checkbox":
        return {name: control.has_attr("checked")}
    text = control.get_text() if control.name == "textarea" else str(control.get("value") or "")
    return {name: text} if sort in ("text", "password") else {}


def _chosen(select: Tag) -> str | list[str]:
    options = select.find_all("option")
    chosen = [each for each in options if each.has_attr("selected")] or options[:1]
    values = [str(each.get("value") or "") for each in chosen]
    return values if select.has_attr("multiple") else (values or [""])[0]


def _number(name: str, value: object) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        number = float(str(value))
        return {f"{name}:shiny.number": int(number) if number.is_integer() else number}
    return {}
