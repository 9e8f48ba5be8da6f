"""Goes on where a first page ends: applications whose own code runs only once a browser has opened a session.

Each framework is spoken to as its own page does, just far enough that the author's code runs once. What is found is
what the framework itself says of it; a framework that speaks differently than expected is no failure of the content,
and is said to be not exercised.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from rostra.execution import sockets
from rostra.rehearsal import page as pages
from rostra.rehearsal.page import HOST, Page

QUIET_SECONDS = 2.0  # after this long without a word nothing more is coming
_LARGEST = 64_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """``failed``: what the framework says went wrong in the author's code, empty when nothing did.

    ``ran`` is False when that code was not reached, and ``unseen`` says in a sentence what was not exercised.
    """

    ran: bool = True
    failed: str = ""
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Content whose first page came. ``base`` is the path it is served under, with a closing slash."""

    socket: Path
    base: str
    page: Page

    @asynccontextmanager
    async def talk(self, path: str, *subprotocols: str) -> AsyncIterator[ClientConnection]:
        connection = unix_connect(
            uri=f"ws://{HOST}{path}",
            origin=f"http://{HOST}",
            subprotocols=list(subprotocols) or None,
            max_size=_LARGEST,
            compression=None,
            sock=sockets.connect(self.socket),
        )
        async with connection as talking:
            yield talking


Open = Callable[[Opened, float], Awaitable[Session]]


async def use(kind: str, opened: Opened, seconds: float) -> Session:
    """Open a session of this kind of content and say how it went."""
    how = _KINDS.get(kind)
    if how is None:
        return Session()
    try:
        async with asyncio.timeout(seconds):
            return await how(opened, seconds)
    except TimeoutError:
        return Session(failed=f"a session was not ready within {seconds:g} s")
    except (OSError, WebSocketException, ValueError, LookupError) as why:
        return Session(ran=False, unseen=f"no session could be opened to run its code ({_words(why)})")


def _words(why: BaseException) -> str:
    return f"{type(why).__name__}: {why}"[:200]


# Streamlit: the script runs when a browser asks for it.


async def _streamlit(opened: Opened, _: float) -> Session:
    async with opened.talk(f"{opened.base}_stcore/stream", "streamlit") as talking:
        await talking.send(b"\x5a\x00")  # BackMsg.rerun_script, with nothing in it
        async for message in talking:
            if isinstance(message, bytes) and (ended := protobuf_field(message, 6)) is not None:
                return Session(failed="its script does not compile" if ended == 1 else "")
    return Session(failed="the server closed the session before the script had ended")


def protobuf_field(message: bytes, wanted: int) -> int | None:
    """Return the varint ``wanted`` of a message, None when it has none; the others are skipped.

    Raises:
        ValueError: this is no such message.
    """
    place = 0
    found = None
    while place < len(message):
        tag, place = _varint(message, place)
        sort = tag & 7
        if sort == 0:
            value, place = _varint(message, place)
            found = value if tag >> 3 == wanted else found
        elif sort == 2:
            size, place = _varint(message, place)
            place += size
        elif sort in (1, 5):
            place += 8 if sort == 1 else 4
        else:
            raise ValueError(f"wire type {sort}")
    return found


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("a message is cut off")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place


# Shiny: the server function runs for each session, its outputs when they are said to be visible.


async def _shiny(opened: Opened, _: float) -> Session:
    async with opened.talk(f"{opened.base}websocket/") as talking:
        await talking.send(json.dumps({"method": "init", "data": shiny_inputs(opened.page.text)}))
        begun = busy = answered = False
        with contextlib.suppress(ConnectionClosed):
            while busy or not answered:
                told = await _within(talking, None if busy or not begun else QUIET_SECONDS)
                if told is None:
                    break  # it waits for its visitor
                if errors := told.get("errors"):
                    return Session(failed=_shiny_error(errors))
                begun, busy = True, told.get("busy", "busy" if busy else "idle") == "busy"
                answered = answered or "values" in told
            return Session()
    return Session(failed="its server function failed")


async def _within(talking: ClientConnection, seconds: float | None) -> dict[str, Any] | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            told: dict[str, Any] = json.loads(await talking.recv())
            return told
    return None


def _shiny_error(errors: Mapping[str, Any]) -> str:
    name, told = next(iter(errors.items()))
    said = told.get("message", "") if isinstance(told, dict) else told
    return f"the output {name} failed: {said}"


def shiny_inputs(html: str) -> dict[str, Any]:
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
        told |= _shiny_input(control)
    return told


def _shiny_input(control: Tag) -> dict[str, Any]:
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


# Bokeh and Panel: the script runs when the page is made; what it does on load, when the session opens.


async def _bokeh(opened: Opened, _: float) -> Session:
    found = re.search(r'"token":\s*"([^"]+)"', opened.page.text)
    if found is None:
        return Session(ran=False, unseen="its page names no session, so none was opened")
    path = opened.page.path.partition("?")[0].rstrip("/")
    async with opened.talk(f"{path}/ws", "bokeh", found[1]) as talking:
        await _until(talking, "ACK")
        for part in (json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"}), "{}", "{}"):
            await talking.send(part)
        reply = await _until(talking, '"version"')
        event = _READY_2 if re.search(r'"version":\s*"2\.', reply) else _READY
        content = json.dumps({"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})
        for part in (json.dumps({"msgid": "2", "msgtype": "PATCH-DOC"}), "{}", content):
            await talking.send(part)
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    await talking.recv()
    return Session()


_READY = {"type": "event", "name": "document_ready", "values": {"type": "map", "entries": []}}
_READY_2 = {"event_name": "document_ready", "event_values": {}}  # before Bokeh 3


async def _until(talking: ClientConnection, words: str) -> str:
    while words not in (said := str(await talking.recv())):
        pass
    return said


# Gradio: the script runs at start, what it does on load when a browser has opened it.


async def _gradio(opened: Opened, seconds: float) -> Session:
    config = json.loads((await asyncio.to_thread(pages.get, opened.socket, f"{opened.base}config", seconds)).text)
    prefix = opened.base + str(config.get("api_prefix") or "").strip("/")
    prefix = prefix if prefix.endswith("/") else f"{prefix}/"
    waits = [number for number, each in enumerate(config["dependencies"]) if _on_load(each)]
    for number in waits:
        body = json.dumps({"data": [], "fn_index": number, "session_hash": "rehearsal", "trigger_id": None}).encode()
        joined = await asyncio.to_thread(pages.get, opened.socket, f"{prefix}queue/join", seconds, body=body)
        if joined.status != 200:
            return Session(unseen="what it does when a page is loaded was not run")
        told = await asyncio.to_thread(
            _gradio_events, opened.socket, f"{prefix}queue/data?session_hash=rehearsal", seconds
        )
        if not told.get("success", True):
            return Session(
                failed=f"what it does on load failed: {(told.get('output') or {}).get('error') or ''}".rstrip()
            )
    return Session()


def _on_load(dependency: Mapping[str, Any]) -> bool:
    targets = dependency.get("targets") or []
    loads = any(isinstance(each, list) and len(each) == 2 and each[1] == "load" for each in targets)
    return loads and not dependency.get("inputs") and bool(dependency.get("backend_fn"))


def _gradio_events(socket: Path, path: str, seconds: float) -> dict[str, Any]:
    for line in pages.get(socket, path, seconds).text.splitlines():
        if line.startswith("data:"):
            told: dict[str, Any] = json.loads(line[5:])
            if told.get("msg") == "process_completed":
                return told
    return {}


# Voila: the notebook runs while its page is made, which tells of an error in it.


async def _voila(opened: Opened, _: float) -> Session:
    text = opened.page.text
    if found := re.search(r"There was an error when executing cell \[?(\d*)\]?", text):
        return Session(failed=f"cell {found[1]} failed" if found[1] else "a cell failed")
    if "kernelId" not in text:
        return Session(ran=False, unseen="it is a list of notebooks, and none of them was run")
    return Session()


# Dash: the callbacks a browser calls as soon as it has the page.


async def _dash(opened: Opened, seconds: float) -> Session:
    async def told(name: str) -> Any:
        return json.loads((await asyncio.to_thread(pages.get, opened.socket, f"{opened.base}{name}", seconds)).text)

    values = dash_values(await told("_dash-layout"))
    for callback in await told("_dash-dependencies"):
        call = dash_call(callback, values)
        if call is None:
            continue
        body = json.dumps(call).encode()
        path = f"{opened.base}_dash-update-component"
        answer = await asyncio.to_thread(pages.get, opened.socket, path, seconds, body=body)
        if answer.status >= 500:
            return Session(failed=f"the callback for {callback['output']} answers {answer.status}")
    return Session()


def dash_values(layout: object) -> dict[tuple[str, str], Any]:
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


def dash_call(callback: Mapping[str, Any], values: Mapping[tuple[str, str], Any]) -> dict[str, Any] | None:
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


_KINDS: Mapping[str, Open] = {
    "python-streamlit": _streamlit,
    "python-shiny": _shiny,
    "python-bokeh": _bokeh,
    "python-panel": _bokeh,
    "python-gradio": _gradio,
    "jupyter-voila": _voila,
    "python-dash": _dash,
}
SAID = ("Uncaught app ex", "Script compilation error", "Error running application handler", "error handling message")
"""How frameworks begin, in their log, to tell what they caught from the author's code instead of failing."""
