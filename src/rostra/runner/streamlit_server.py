"""Hands a script to Streamlit's own server, on the unix socket.

Streamlit before it moved off tornado binds a unix socket itself; since then it offers its server as an ASGI
application.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, Dict

from . import uvicorn_server
from .asgi import UnderBasePath
from .failure import Failure
from .listening import Listener
from .loading import framework
from .options import Options


def serve(script: Path, options: Options, listener: Listener) -> None:
    server = _server_module()
    if hasattr(server, "start_listening"):
        _serve_with_tornado(server, script, options, listener)
    else:
        _serve_as_application(script, options, listener)


def _server_module() -> Any:
    framework("streamlit")
    try:
        return framework("streamlit.web.server.server")
    except Failure as error:
        raise Failure("This Streamlit is too old for the server.", "Ask for streamlit>=1.12.") from error


def _settings(options: Options) -> Dict[str, Any]:
    """Return Streamlit's options. Who may connect is decided before a request gets here, so its own checks are off."""
    return {
        "server.baseUrlPath": options.base_path.strip("/"),
        "server.headless": True,
        "server.enableCORS": False,
        "server.enableXsrfProtection": False,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "server.useStarlette": False,
    }


def _configure(options: Options, more: Dict[str, Any]) -> None:
    """Set the options this Streamlit knows, above those of the author's own configuration file."""
    config = framework("streamlit.config")
    wanted = {**_settings(options), **more}
    known = {name: value for name, value in wanted.items() if name in config._config_options_template}
    for name, value in known.items():
        # By the environment too: the file is read again later, and the environment is above it.
        variable = "STREAMLIT_" + "".join("_" + c if c.isupper() else "_" if c == "." else c for c in name).upper()
        os.environ[variable] = str(value).lower() if isinstance(value, bool) else str(value)
    flags = {name.replace(".", "_"): value for name, value in known.items()}
    framework("streamlit.web.bootstrap").load_config_options(flags)


def _serve_with_tornado(server: Any, script: Path, options: Options, listener: Listener) -> None:
    _configure(options, {"server.address": "unix://" + listener.waiting})
    original = server.Server.start

    async def start(this: Any, *arguments: Any) -> None:
        await original(this, *arguments)
        listener.announce()

    server.Server.start = start
    bootstrap = framework("streamlit.web.bootstrap")
    bootstrap._set_up_signal_handler = _stop_on_sigterm
    bootstrap._print_url = lambda *_: None  # it would name the socket
    bootstrap.run(str(script), False, [], {})


def _stop_on_sigterm(server: Any) -> None:
    """Through the loop: a plain handler would run only when the loop happens to wake up."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)


def _serve_as_application(script: Path, options: Options, listener: Listener) -> None:
    _configure(options, {})
    application = framework("streamlit.web.server.starlette.starlette_app").App(str(script))
    # Its routes begin with the base path already: no root path.
    uvicorn_server.serve(UnderBasePath(application, "", stripped=False), listener)
