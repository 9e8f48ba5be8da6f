"""From settings to a server that runs."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from rostra.config.sections import Settings
from rostra.server.children import children
from rostra.server.places import listening, only_server, prepare
from rostra.server.supervise import supervise

log = structlog.get_logger()


async def serve(settings: Settings, arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit status. ``arguments`` say where control finds its configuration.

    Raises:
        CannotServe: the port is taken, the data folder cannot be used, or another server uses it.
    """
    run_dir = prepare(settings.server.data_dir)
    with only_server(run_dir), listening(settings.http.listen) as sock:
        sock.set_inheritable(True)
        code = await supervise(children(settings, arguments, sock.fileno()))
    log.info("Rostra has stopped")
    return code
