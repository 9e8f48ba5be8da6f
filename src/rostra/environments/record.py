"""What an environment says of itself: ``rostra.json`` in its folder. Its presence is what makes a folder ready."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from rostra.environments.folders import read_plain
from rostra.environments.spec import Environment, Package
from rostra.runtimes.model import Runtime

FILE = "rostra.json"


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready environment on disk. ``size`` is in bytes, links counted in full."""

    environment: Environment
    created_at: dt.datetime
    size: int


def write_text(ready: Ready) -> str:
    env = ready.environment
    told = {
        "key": env.key,
        "installer": env.installer,
        "created_at": ready.created_at.isoformat(),
        "size": ready.size,
        "runtime": _runtime_to(env.runtime),
        "packages": [asdict(package) for package in env.packages],
        "lock": env.lock,
        "links": [str(link) for link in env.links],
    }
    return json.dumps(told, indent=1) + "\n"


def read(root: Path) -> Ready | None:
    """Return the environment in ``root``, or None when there is no readable record of one with that key."""
    try:
        told = json.loads(read_plain(root / FILE))
        if told["key"] != root.name:
            return None
        env = Environment(
            key=told["key"],
            runtime=_runtime_from(told["runtime"]),
            python=root / "bin" / "python",
            root=root,
            lock=told["lock"],
            packages=tuple(Package(one["name"], one["version"]) for one in told["packages"]),
            installer=told["installer"],
            links=tuple(Path(link) for link in told.get("links", ())),
        )
        if not all(link.is_dir() for link in env.links):
            return None  # what it leads to is gone: it is no whole environment any more
        return Ready(env, dt.datetime.fromisoformat(told["created_at"]), int(told["size"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _runtime_to(runtime: Runtime) -> dict[str, Any]:
    return {
        "version": str(runtime.version),
        "executable": str(runtime.executable),
        "target": str(runtime.target),
        "implementation": runtime.implementation,
        "cache_tag": runtime.cache_tag,
        "platform": runtime.platform,
        "prefixes": [str(path) for path in runtime.prefixes],
        "identity": runtime.identity,
    }


def _runtime_from(told: dict[str, Any]) -> Runtime:
    return Runtime(
        version=Version(told["version"]),
        executable=Path(told["executable"]),
        target=Path(told["target"]),
        implementation=told["implementation"],
        cache_tag=told["cache_tag"],
        platform=told["platform"],
        prefixes=tuple(Path(path) for path in told["prefixes"]),
        identity=told["identity"],
    )
