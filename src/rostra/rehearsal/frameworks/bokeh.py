"""Bokeh and Panel: the script runs when the page is made; what it does on load, when the session opens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rostra.rehearsal.session import QUIET_SECONDS, Opened, Session


async def use(opened: Opened, _: float) -> Session:
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
