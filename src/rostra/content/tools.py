"""What deploying and running content needs, passed explicitly: there is no global."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rostra.clock import Clock
from rostra.config.sections import Settings
from rostra.content.builds import Environments
from rostra.content.places import Places
from rostra.content.variables import Box
from rostra.db.engine import Sessions
from rostra.execution.pool import Pools
from rostra.runtimes.model import Runtime
from rostra.runtimes.r_model import NOTHING, Beside


async def nothing_beside() -> Beside:
    return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """``sessions`` make writing transactions, ``reading`` ones that wait for nobody.

    ``settings`` and ``runtimes`` are asked for each time, because a reload changes them.

    ``beside`` looks at what there is beside Python: R with its packages, Quarto.
    ``user`` is the (uid, gid) content runs as, None when the server itself is not root. ``box`` opens variables.
    """

    sessions: Sessions
    reading: Sessions
    settings: Callable[[], Settings]
    runtimes: Callable[[], Sequence[Runtime]]
    places: Places
    environments: Environments
    pools: Pools
    box: Box
    clock: Clock
    user: tuple[int, int] | None
    beside: Callable[[], Awaitable[Beside]] = nothing_beside

    @property
    def server_url(self) -> str:
        """The public address, without a closing slash."""
        settings = self.settings()
        host, _, port = settings.http.listen.rpartition(":")
        return settings.server.address.rstrip("/") or f"http://{host or '127.0.0.1'}:{port}"

    @property
    def server_path(self) -> str:
        """The path of the public address, without a closing slash: empty for most servers."""
        return urlsplit(self.server_url).path
