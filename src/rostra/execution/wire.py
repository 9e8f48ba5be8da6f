"""A launch, a process and an error as JSON, for keeper.sock. Pure.

Both ends come from the same installation: a message that cannot be read is a bug and raises ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rostra.execution.launcher import Exit, Launch, LaunchFailed, Mount, Running
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey

LONGEST_LINE = 1024 * 1024


def line(message: Mapping[str, Any]) -> bytes:
    """Return one message with its newline.

    Raises:
        LaunchFailed: it is longer than a line may be.
    """
    encoded = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    if len(encoded) > LONGEST_LINE:
        raise LaunchFailed("the launch is too long to be sent", hint="Set fewer or shorter environment variables.")
    return encoded


def parse(text: bytes) -> dict[str, Any]:
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def from_launch(what: Launch) -> dict[str, Any]:
    return {
        "key": what.key,
        "argv": list(what.argv),
        "cwd": str(what.cwd),
        "env": dict(what.env),
        "run_dir": str(what.run_dir),
        "log": str(what.log),
        "mounts": [[str(mount.path), mount.writable] for mount in what.mounts],
        "log_bytes": what.log_bytes,
        "memory_bytes": what.memory_bytes,
        "cpus": what.cpus,
        "user": list(what.user) if what.user else None,
        "network": what.network,
        "labels": dict(what.labels),
    }


def to_launch(found: Mapping[str, Any]) -> Launch:
    try:
        return Launch(
            key=ProcessKey(found["key"]),
            argv=tuple(map(str, found["argv"])),
            cwd=Path(found["cwd"]),
            env={str(name): str(value) for name, value in found["env"].items()},
            run_dir=Path(found["run_dir"]),
            log=Path(found["log"]),
            mounts=tuple(Mount(Path(path), bool(writable)) for path, writable in found["mounts"]),
            log_bytes=int(found["log_bytes"]),
            memory_bytes=None if found["memory_bytes"] is None else int(found["memory_bytes"]),
            cpus=None if found.get("cpus") is None else float(found["cpus"]),
            user=(int(found["user"][0]), int(found["user"][1])) if found["user"] else None,
            network=bool(found["network"]),
            labels={str(name): str(value) for name, value in found["labels"].items()},
        )
    except (KeyError, TypeError, AttributeError, IndexError) as why:
        raise ValueError(f"not a launch: {why!r}") from why


def from_running(what: Running) -> dict[str, Any]:
    return {"key": what.key, "pid": what.pid, "socket": str(what.socket), "labels": dict(what.labels)}


def to_running(found: Mapping[str, Any]) -> Running:
    return Running(ProcessKey(found["key"]), int(found["pid"]), Path(found["socket"]), dict(found["labels"]))


def from_weights(what: Mapping[ProcessKey, Weight]) -> dict[str, Any]:
    return {"processes": {key: [one.cpu_seconds, one.memory_bytes, one.processes] for key, one in what.items()}}


def to_weights(found: Mapping[str, Any]) -> dict[ProcessKey, Weight]:
    return {
        ProcessKey(key): Weight(float(cpu), int(memory), int(count))
        for key, (cpu, memory, count) in found["processes"].items()
    }


def from_exit(what: Exit) -> dict[str, Any]:
    return {"exit": {"key": what.key, "code": what.code}}


def to_exit(found: Mapping[str, Any]) -> Exit:
    return Exit(ProcessKey(found["exit"]["key"]), int(found["exit"]["code"]))
