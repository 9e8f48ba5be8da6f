"""Serves content that is a script run anew for each visitor: Streamlit, Bokeh and Panel."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from . import entrypoint, imports, streamlit_server, tornado_server
from .failure import Failure
from .listening import Listener
from .loading import framework
from .options import Options

_MESSAGE_BYTES = 200 * 1024 * 1024  # uploads come as one WebSocket message


def serve_streamlit(options: Options, listener: Listener) -> None:
    framework("streamlit")
    streamlit_server.serve(_checked(entrypoint.script(options.entrypoint), (".py",)), options, listener)


def serve_bokeh(options: Options, listener: Listener) -> None:
    """Serve with Panel's server when it is installed: it serves Bokeh too, and Panel was long published as Bokeh."""
    framework("bokeh")
    _quiet()
    if _is_installed("panel"):
        serve_panel(options, listener)
    else:
        loop = tornado_server.new_loop()
        server = framework("bokeh.server.server").Server(_applications(options), loop, **_settings(options, listener))
        _run(server, loop, listener)


def _is_installed(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None  # a mere folder of that name in the bundle is no package


def serve_panel(options: Options, listener: Listener) -> None:
    framework("panel")
    _quiet()
    server_module = framework("panel.io.server")  # replaces parts of Bokeh's, so it comes first
    loop = tornado_server.new_loop()
    server = server_module.get_server(
        _applications(options), loop=loop, start=False, show=False, **_settings(options, listener)
    )
    _run(server, loop, listener)


def _quiet() -> None:
    # It warns of the wildcard below; the gateway has decided who may connect.
    logging.getLogger("bokeh.server.util").setLevel(logging.ERROR)


def _settings(options: Options, listener: Listener) -> Dict[str, Any]:
    return {
        "unix_socket": listener.waiting,
        "prefix": options.base_path.rstrip("/"),
        "allow_websocket_origin": ["*"],  # who may connect is decided before the request gets here
        "websocket_max_message_size": _MESSAGE_BYTES,
        "http_server_kwargs": dict(tornado_server.HTTP_SETTINGS),
    }


def _run(server: Any, loop: Any, listener: Listener) -> None:
    _serve_icon_under_prefix(server._tornado)
    server.start()
    tornado_server.run(server._http, loop, listener)
    server._tornado.stop(wait=False)


def _serve_icon_under_prefix(tornado: Any) -> None:
    """Bokeh answers /favicon.ico at the root of the host only, Panel's pages ask for it beside themselves."""
    if importlib.util.find_spec("bokeh.server.views.ico_handler") is not None:
        handler = framework("bokeh.server.views.ico_handler").IcoHandler
        tornado.add_handlers(r".*", [(re.escape(tornado.prefix) + r"/favicon\.ico", handler, {"app": tornado})])


def _applications(options: Options) -> Dict[str, Any]:
    """Return the one application under the route it is served at, relative to the base path."""
    name = entrypoint.script(options.entrypoint)
    path = _directory(name) or _checked(name, (".py", ".ipynb", ".md"))
    build = framework("bokeh.command.util").build_single_handler_application
    application = build(str(path), [])
    # The files of a directory application would hide Bokeh's own under the same name at the root.
    route = "/" + path.name if path.is_dir() and (path / "static").is_dir() else "/"
    failed = next((handler for handler in application.handlers if handler.failed), None)
    if failed:
        raise Failure(f"{path.name} cannot run: {failed.error}")
    return {route: application}


def _directory(name: str) -> Any:
    """Return the folder of a directory application: what is named, or the bundle if it looks like one."""
    folder = Path(name or ".").resolve()
    if folder.is_dir() and _has_main(folder):
        return folder
    here = Path.cwd()
    marks = ("theme.yaml", "app_hooks.py", "server_lifecycle.py", "templates/index.html")
    if name == "main" and any((here / mark).exists() for mark in marks):
        return here
    return None


def _has_main(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("main.py", "main.ipynb"))


def _checked(name: str, suffixes: Tuple[str, ...]) -> Path:
    """Return the script ``name`` with one of ``suffixes``, sure that it could run."""
    for suffix in suffixes:
        path = Path(name + suffix).resolve()
        if path.is_file():
            if suffix == ".py":
                imports.check(path)
            return path
    here = sorted(entry for entry in os.listdir(".") if entry.endswith(suffixes))
    hint = f"It holds {', '.join(here[:10])}." if here else "It holds no script at its top."
    raise Failure(f"There is no {name}{suffixes[0]} in this bundle.", hint)


SERVERS: Dict[str, Callable[[Options, Listener], None]] = {
    "streamlit": serve_streamlit,
    "bokeh": serve_bokeh,
    "panel": serve_panel,
}
