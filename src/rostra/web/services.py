"""What the pages need of the rest of the server. The composition root hands in one object that has all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from starlette.requests import Request

from rostra.auth.principals import Principal
from rostra.auth.sessions import SignedIn
from rostra.clock import Clock
from rostra.web.site import Site
from rostra.web.views import (
    ItemHead,
    ItemPage,
    ItemRow,
    KeyRow,
    LogsPage,
    RuntimeRow,
    SettingRow,
    ShareRow,
    TaskPage,
    Waiting,
)


class WebServices(Protocol):
    """Every method may be called from several tasks at once, and commits what it changes.

    Methods that take ``who`` check that this person may do it: they raise `NotFound` for what the person may not even
    know of, and `Forbidden` for what they may see but not do.
    """

    @property
    def site(self) -> Site: ...

    @property
    def clock(self) -> Clock: ...

    async def principal(self, request: Request) -> Principal | None:
        """Return who sent the request. A bad key raises `BadCredential`, a stale cookie is nobody."""

    def client_address(self, request: Request) -> str:
        """Return the address failed sign-ins are counted for, as far as proxies can be trusted with it."""

    async def sign_in(self, username: str, password: str, address: str = "") -> SignedIn:
        """Raises `WrongLogin` or `AccountLocked`. ``address``, here and below: from where, for the audit log."""

    async def redeem(self, token: str, address: str = "") -> SignedIn:
        """Use a one-time link up. Raises `LinkUsedUp`."""

    async def sign_out(self, token: str, address: str = "") -> None:
        """End the session of this cookie; ending what is over is fine."""

    async def ask(self, request: Request, method: str, path: str, body: object = None) -> Any:
        """Return what the API answers to the person behind ``request``; ``path`` begins at its version.

        Bytes are sent as they are, anything else as JSON. Raises the `Problem` that the answer is.
        """

    async def head(self, who: Principal, guid: str) -> ItemHead: ...

    async def shares(self, who: Principal, guid: str) -> Sequence[ShareRow]:
        """Return who was given access to an item, for somebody who may change it."""

    async def my_content(self, who: Principal) -> Sequence[ItemRow]:
        """Return what the person may change, the most recently deployed first."""

    async def visible_content(self, who: Principal) -> Sequence[ItemRow]:
        """Return what the person may visit or change, the most recently deployed first."""

    async def item(self, who: Principal, guid: str) -> ItemPage: ...

    async def logs(self, who: Principal, guid: str, job: str | None, after: int | None) -> LogsPage:
        """Return a job's log, the newest job's when none is named, at most the last 5000 lines.

        ``after`` None asks for the end of the log, a number for the lines behind that one.
        """

    async def task(self, who: Principal, task_id: str, after: int) -> TaskPage: ...

    async def keys(self, who: Principal) -> Sequence[KeyRow]:
        """Return the API keys this person made, oldest first."""

    async def check_claim(self, who: Principal, token: str) -> None:
        """Raises `NoSuchToken` or `TokenClaimed` unless this key pair waits to be claimed."""

    async def claim(self, who: Principal, token: str) -> None:
        """Let requests that this key pair signs act for the person. Raises as `check_claim`."""

    async def runtimes(self, who: Principal) -> Sequence[RuntimeRow]:
        """Return every configured interpreter, also those that cannot be used, the newest version first."""

    async def settings_in_force(self, who: Principal) -> Sequence[SettingRow]:
        """Return every setting of the server, secrets hidden, for an administrator."""

    async def waiting(self, who: Principal | None, pool: str) -> Waiting:
        """Return how far the start of ``pool`` (`ids.PoolKey`) is; asks the same permission as visiting it."""
