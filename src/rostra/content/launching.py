"""From an item and one of its bundles to a `Launch`: what is started, what it sees, what it is told. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from rostra.content.places import Places
from rostra.environments.spec import Environment
from rostra.execution.launcher import Launch, Mount
from rostra.ids import ProcessKey
from rostra.kinds.kind import Kind, StartContext
from rostra.kinds.registry import by_name
from rostra.runtimes.r_model import RInstallation

RUNNER = Path(__file__).parent.parent / "runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What one process of an item is made from.

    ``variables`` are the item's own, in clear. ``api_key`` is the short-lived key of its owner, or None;
    ``session_token`` is what the process exchanges for the accounts of the item's integrations.
    ``server_url`` is the public address without a closing slash; when it has a path, ``base_path`` begins with it.
    ``environment`` and ``overlay`` are None for content without Python, ``r`` for content without R.
    """

    guid: str
    bundle_id: int
    kind: str
    entrypoint: str
    base_path: str
    server_url: str
    environment: Environment | None
    overlay: Path | None
    variables: Mapping[str, str]
    api_key: str | None
    session_token: str = ""
    user: tuple[int, int] | None
    log_bytes: int
    memory_bytes: int | None = None
    cpus: float | None = None
    options: Mapping[str, object]
    r: RInstallation | None = None


def launch(start: Start, key: ProcessKey, places: Places, labels: Mapping[str, str]) -> Launch:
    """Return what a launcher needs to start one process of this item."""
    kind = by_name(start.kind)
    assert kind.start is not None, "only interactive kinds are launched"
    run_dir = places.process(key)
    command = kind.start(context(start, run_dir / "s", places))
    return Launch(
        key=key,
        argv=command.argv,
        cwd=places.app(start.guid, start.bundle_id),
        env={**environment_variables(start, key, kind), **command.env},
        run_dir=run_dir,
        log=places.log(start.guid, key),
        log_bytes=start.log_bytes,
        mounts=tuple(Mount(path) for path in visible(start, places)),
        memory_bytes=start.memory_bytes,
        cpus=start.cpus,
        user=start.user,
        labels=labels,
    )


def context(start: Start, socket: Path, places: Places) -> StartContext:
    return StartContext(
        entrypoint=start.entrypoint,
        code_dir=places.app(start.guid, start.bundle_id),
        environment=start.environment,
        overlay=start.overlay,
        socket=socket,
        base_path=start.base_path,
        public_url=urljoin(start.server_url, start.base_path),
        options=start.options,
        r=start.r.executable if start.r else None,
    )


def visible(start: Start, places: Places) -> tuple[Path, ...]:
    """Return the host folders the process may read: its code, its environment, what it runs on, our runner."""
    python = start.environment.mounts if start.environment else ()
    overlay = (start.overlay,) if start.overlay else ()
    return (places.app(start.guid, start.bundle_id), *python, *overlay, *(start.r.mounts if start.r else ()), RUNNER)


def environment_variables(start: Start, key: str, kind: Kind) -> dict[str, str]:
    """Return the variables content is given. The owner's win only where the reference lets them (CONNECT_SERVER)."""
    given = {
        "CONNECT_SERVER": start.server_url + "/",
        **({"CONNECT_API_KEY": start.api_key} if start.api_key else {}),
        **start.variables,
        **({"CONNECT_CONTENT_SESSION_TOKEN": start.session_token} if start.session_token else {}),
        "CONNECT_CONTENT_GUID": start.guid,
        "CONNECT_CONTENT_JOB_KEY": key,
        "POSIT_PRODUCT": "CONNECT",
        "RSTUDIO_PRODUCT": "CONNECT",
        "ROSTRA_KIND": kind.name,
        "PATH": search_path(start.environment),
    }
    return {"LANG": "C.UTF-8", **given}


def search_path(environment: Environment | None) -> str:
    own = (str(environment.python.parent),) if environment else ()
    return ":".join((*own, "/usr/local/bin", "/usr/bin", "/bin"))


def seconds(value: int | None, default: dt.timedelta) -> dt.timedelta:
    """Return an item's own setting in seconds as a duration, or the server's default."""
    return default if value is None else dt.timedelta(seconds=value)
