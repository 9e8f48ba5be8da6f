"""Publishes small applications straight through the API: quicker than the client, and every step can be seen."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.bundles import bundle
from support.server import Reply, Server

# Needs no package at all: what serves it comes with the server.
SOURCE = """
import asyncio, json, os, sys, time
from urllib.parse import parse_qs

VERSION, STARTED, FACTS = "VERSION", time.monotonic(), {"calls": 0}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "websocket":
        return await echo(receive, send)
    path = scope["path"][len(scope.get("root_path", "")):] or scope["path"]
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    name = path.rstrip("/").rpartition("/")[2]
    FACTS["calls"] += 1
    if name == "slow":
        await asyncio.sleep(float(query.get("seconds", 1)))
    if name == "exit":
        os._exit(int(query.get("code", 3)))
    if name == "shout":
        for number in range(int(query["lines"])):
            print("line", number, "x" * 100, flush=True)
    if name == "stream":
        return await stream(send, int(query["parts"]))
    headers = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]]
    told = {"version": VERSION, "pid": os.getpid(), "started": STARTED, "headers": headers, "path": scope["path"],
            "python": list(sys.version_info[:3]), "greeting": os.environ.get("GREETING"),
            "key": os.environ.get("CONNECT_API_KEY"), "job": os.environ.get("CONNECT_CONTENT_JOB_KEY")}
    await answer(send, json.dumps(told).encode())

async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})

async def stream(send, parts):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for number in range(parts):
        await send({"type": "http.response.body", "body": f"{VERSION} {number}\\n".encode(), "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b"end\\n"})

async def echo(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": VERSION + ":" + (message.get("text") or "")})
        else:
            return
"""


def source(version: str = "one", more: str = "") -> str:
    """Return an application that says ``version``; ``more`` is run when it is imported."""
    return SOURCE.replace('"VERSION"', repr(version)) + more


@dataclass(frozen=True, slots=True)
class Direct:
    """One item of a server."""

    server: Server
    guid: str

    @property
    def path(self) -> str:
        return f"/content/{self.guid}/"

    @property
    def api(self) -> str:
        return f"/__api__/v1/content/{self.guid}"

    def upload(self, files: Mapping[str, str | bytes] | str = "one", **manifest: Any) -> int:
        """Send a bundle (by default the application above, saying a version) and return its number."""
        told = {"app.py": source(files)} if isinstance(files, str) else dict(files)
        answer = self.server.get(f"{self.api}/bundles", method="POST", body=packed(told, **manifest))
        assert answer.status in (200, 201), answer.text
        return int(json.loads(answer.text)["id"])

    def start_deploy(self, bundle_id: int, *, activate: bool = True) -> str:
        body = {"bundle_id": str(bundle_id), "activate": activate}
        return str(self.server.ask(f"{self.api}/deploy", "POST", body)["task_id"])

    def deploy(self, files: Mapping[str, str | bytes] | str = "one", *, good: bool = True, **manifest: Any) -> int:
        """Upload and deploy; return the bundle's number."""
        number = self.upload(files, **manifest)
        done = self.server.wait_for(self.start_deploy(number))
        assert (done["code"] == 0) == good, done
        return number

    def change(self, **fields: object) -> None:
        self.server.ask(self.api, "PATCH", fields)

    def get(self, rest: str = "", **headers: str) -> Reply:
        return self.server.get(self.path + rest, **headers)

    def told(self, rest: str = "", **headers: str) -> dict[str, Any]:
        """Return what the application says of itself."""
        answer = self.get(rest, **headers)
        assert answer.status == 200, f"{answer.status} {answer.text[:2000]}"
        found: dict[str, Any] = json.loads(answer.text)
        return found

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.ask(f"{self.api}/jobs")
        return found


def new_item(server: Server, access: str = "all", **fields: object) -> Direct:
    made = server.ask("/__api__/v1/content", "POST", {"access_type": access, **fields})
    return Direct(server, made["guid"])


def packed(
    files: Mapping[str, str | bytes], kind: str = "python-fastapi", entrypoint: str = "app:app", **more: Any
) -> bytes:
    """Return a bundle that asks for this very Python; without a ``requirements.txt`` it needs no package."""
    python = {
        "version": platform.python_version(),
        "package_manager": {"name": "pip", "package_file": "requirements.txt"},
    }
    told = {"python": python, "metadata": {"appmode": kind, "entrypoint": entrypoint}} | more
    return bundle({"requirements.txt": "", **files}, **told)


class Background(threading.Thread):
    """Sends one request and keeps the answer; ``join`` waits for it."""

    def __init__(self, item: Direct, rest: str = "", **headers: str) -> None:
        super().__init__(daemon=True)
        self.reply: Reply | None = None
        self.seconds = 0.0
        self._item, self._rest, self._headers = item, rest, headers
        self.start()

    def run(self) -> None:
        begun = time.monotonic()
        try:
            self.reply = self._item.get(self._rest, **self._headers)
        except OSError:
            self.reply = None
        self.seconds = time.monotonic() - begun
