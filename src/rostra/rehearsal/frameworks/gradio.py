"""Gradio: the script runs at start, what it does on load when a browser has opened it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rostra.rehearsal import page as pages
from rostra.rehearsal.session import Opened, Session


async def use(opened: Opened, seconds: float) -> Session:
    config = json.loads((await asyncio.to_thread(pages.get, opened.socket, f"{opened.base}config", seconds)).text)
    prefix = opened.base + str(config.get("api_prefix") or "").strip("/")
    prefix = prefix if prefix.endswith("/") else f"{prefix}/"
    waits = [number for number, each in enumerate(config["dependencies"]) if _on_load(each)]
    for number in waits:
        body = json.dumps({"data": [], "fn_index": number, "session_hash": "rehearsal", "trigger_id": None}).encode()
        joined = await asyncio.to_thread(pages.get, opened.socket, f"{prefix}queue/join", seconds, body=body)
        if joined.status != 200:
            return Session(unseen="what it does when a page is loaded was not run")
        told = await asyncio.to_thread(_events, opened.socket, f"{prefix}queue/data?session_hash=rehearsal", seconds)
        if not told.get("success", True):
            return Session(
                failed=f"what it does on load failed: {(told.get('output') or {}).get('error') or ''}".rstrip()
            )
    return Session()


def _on_load(dependency: Mapping[str, Any]) -> bool:
    targets = dependency.get("targets") or []
    loads = any(isinstance(each, list) and len(each) == 2 and each[1] == "load" for each in targets)
    return loads and not dependency.get("inputs") and bool(dependency.get("backend_fn"))


def _events(socket: Path, path: str, seconds: float) -> dict[str, Any]:
    for line in pages.get(socket, path, seconds).text.splitlines():
        if line.startswith("data:"):
            told: dict[str, Any] = json.loads(line[5:])
            if told.get("msg") == "process_completed":
                return told
    return {}
