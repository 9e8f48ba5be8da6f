"""The absolute addresses clients follow verbatim, with whatever path prefix a proxy adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from rostra.api.edge import MOUNT, Live


@dataclass(frozen=True, slots=True)
class Addresses:
    """``base`` is the server's public address without a closing slash."""

    base: str
    dashboard_path: str = "/connect"

    def content(self, guid: str) -> str:
        return f"{self.base}/content/{guid}/"

    def dashboard(self, guid: str) -> str:
        """Clients append ``/logs``, ``/access`` and ``/draft/{bundle id}`` to it."""
        return f"{self.base}{self.dashboard_path}/#/apps/{guid}"

    def claim(self, token: str) -> str:
        return f"{self.base}{self.dashboard_path}/claim/{token}"


def _addresses(request: Request, live: Live) -> Addresses:
    server = live.settings().server
    return Addresses(server.address.rstrip("/") or _asked(request), "/" + server.dashboard_path.strip("/"))


def _asked(request: Request) -> str:
    """Return the base the client itself used."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    prefix = str(request.scope.get("root_path", "")).removesuffix(MOUNT)
    return f"{scheme}://{request.headers.get('host', 'localhost')}{prefix}"


Links = Annotated[Addresses, Depends(_addresses)]
