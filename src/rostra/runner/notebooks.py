"""Serves notebooks live, with Voila."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Callable, Dict, List

from . import tornado_server
from .failure import Failure
from .listening import Listener
from .loading import framework
from .options import Options

_LONGEST_TEMPORARY = 40  # kernels' sockets are made below it, and a socket's path is short


def serve_voila(options: Options, listener: Listener) -> None:
    voila = framework("voila.app").Voila
    _check(options.entrypoint)
    loop = tornado_server.new_loop()
    instance = _on_socket(voila, listener, loop).instance()
    instance.initialize(arguments(options, tempfile.gettempdir()))
    instance.start()


def arguments(options: Options, temporary: str) -> List[str]:
    """Return Voila's command line. An empty entrypoint serves every notebook of the bundle, with a list of them."""
    words = [
        f"--Voila.base_url={options.base_path}",
        "--no-browser",
    ]
    if len(temporary) <= _LONGEST_TEMPORARY:
        words.append("--KernelManager.transport=ipc")  # nobody else on the host can reach it, unlike a port
    return [*words, *([options.entrypoint] if options.entrypoint else [])]


def _check(entrypoint: str) -> None:
    if entrypoint and not os.path.isfile(entrypoint):
        here = sorted(name for name in os.listdir(".") if name.endswith(".ipynb"))
        raise Failure(f"There is no {entrypoint} in this bundle.", f"It holds {', '.join(here) or 'no notebook'}.")


def _on_socket(voila: Any, listener: Listener, loop: Any) -> Any:
    """Return Voila's application class, listening on our socket instead of a port."""

    class Voila(voila):  # type: ignore[misc]
        def listen(self) -> None:
            server = framework("tornado.httpserver").HTTPServer(self.app, **tornado_server.HTTP_SETTINGS)
            server.add_socket(listener.bound())
            self.ioloop = loop
            try:
                tornado_server.run(server, loop, listener)
            finally:
                self.stop()

    return Voila


SERVERS: Dict[str, Callable[[Options, Listener], None]] = {"voila": serve_voila}
