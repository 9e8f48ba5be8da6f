"""What the evaluation server says when it starts: where it is, what it is for, and a link that signs in once."""

from __future__ import annotations

import datetime as dt
import ipaddress

import structlog

from rostra.app.control import Control
from rostra.auth import links, users
from rostra.auth.principals import Role
from rostra.config.checks import listen_address
from rostra.db.engine import transaction

log = structlog.get_logger()

LINK_LIFETIME = dt.timedelta(hours=12)
ACCOUNT = "admin"


async def welcome(running: Control) -> None:
    """On an evaluation server make the first account when there is none, and print a sign-in link for it."""
    tools = running.tools
    if running.present.loaded.path is not None or tools.settings().bootstrap.enabled:
        return
    now = tools.clock.now()
    async with transaction(tools.sessions) as session:
        user = await users.by_username(session, ACCOUNT)
        if user is None and await users.administrators(session) == 0:
            wanted = users.NewUser(username=ACCOUNT, role=Role.administrator)
            user = await users.add(session, wanted, None, now)
        token = await links.create(session, user.id, now, LINK_LIFETIME) if user else None
    log.info(
        f"This is an evaluation server: {_reach(tools.settings().http.listen)}, keeps its data in "
        f"{tools.places.data_dir}, and uses the Python interpreters it found. For a server others can rely on, write a "
        "configuration file and start it with: rostra serve --config FILE"
    )
    if token:
        log.info(f"Sign in as {ACCOUNT}, once, with: {tools.server_url}/__signin__/{token}")


def _reach(listen: str) -> str:
    host, _ = listen_address(listen)
    try:
        private = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        private = False
    return "it listens on this machine only" if private else f"it answers whoever can reach {listen}"
