"""Asks content of each kind which Python it runs on, in the protocol its own page would use, through the front door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from support.server import Server

Say = Callable[[Server, str], str]
_VERSION = re.compile(r"(?:on|by) Python (\d+\.\d+\.\d+)")


def version(server: Server, name: str, path: str) -> str:
    """Return the version that the sample ``name``, published at ``path``, says it runs on."""
    said = _WAYS.get(name, page)(server, path)
    found = _VERSION.search(said)
    assert found, f"{name} names no version:\n{said[:3000]}"
    return found[1]


def page(server: Server, path: str) -> str:
    return got(server, path)


def got(server: Server, path: str) -> str:
    answer = server.get(path)
    assert answer.status == 200, f"{path}: {answer.status}\n{answer.text[-2000:]}"
    return answer.text


def at(below: str) -> Say:
    """Return a way that asks for a path below the content's own."""
    return lambda server, path: got(server, path + below)


def fastapi(server: Server, path: str) -> str:
    return f"on Python {json.loads(got(server, path + 'version'))['version']}"


def bokeh(server: Server, path: str) -> str:
    token = re.search(r'"token":\s*"([^"]+)"', got(server, path))
    assert token, "the page has no token of its session"
    with socket(server, f"{path}ws", ["bokeh", token[1]]) as session:
        until(session, lambda message: b"ACK" in message)
        for part in (json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"}), "{}", "{}"):
            session.send(part)
        return until(session, lambda message: b"doc" in message and b"on Python" in message)


def streamlit(server: Server, path: str) -> str:
    got(server, path)
    with socket(server, f"{path}_stcore/stream", ["streamlit"]) as session:
        session.send(b"\x5a\x00")  # BackMsg.rerun_script, empty
        return until(session, lambda message: b"Streamlit on Python" in message)


@contextmanager
def socket(server: Server, path: str, subprotocols: list[Any] | None = None) -> Iterator[ClientConnection]:
    """Open a WebSocket as the owner's browser on the same origin would."""
    with connect(
        server.url.replace("http", "ws", 1) + path,
        origin=server.origin,  # type: ignore[arg-type]
        additional_headers={"Authorization": f"Key {server.key}"},
        subprotocols=subprotocols,
        max_size=None,
    ) as connection:
        yield connection


def until(connection: ClientConnection, found: Callable[[bytes], bool]) -> str:
    """Return the first message that is ``found``, as text."""
    while True:
        message = connection.recv(30)
        raw = message.encode() if isinstance(message, str) else message
        if found(raw):
            return raw.decode(errors="replace")


_WAYS: dict[str, Say] = {
    "fastapi": fastapi,
    "dash": at("_dash-layout"),
    "gradio": at("config"),
    "bokeh": bokeh,
    "panel": bokeh,
    "streamlit": streamlit,
}
