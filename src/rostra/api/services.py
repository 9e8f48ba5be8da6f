"""What the endpoints need of the rest of the server. The composition root makes one for ``api.app.build``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.passwords import Passwords
from rostra.auth.throttle import Throttle
from rostra.clock import Clock
from rostra.config.sections import Settings
from rostra.content.disk_use import DiskUse
from rostra.content.git_location import Location
from rostra.content.job_samples import Sample
from rostra.content.oauth_tokens import OAuthTokens
from rostra.content.places import Places
from rostra.content.tables import Item, Rendering
from rostra.content.tools import nothing_beside
from rostra.content.variables import Box
from rostra.db.engine import Sessions
from rostra.environments.record import Ready
from rostra.environments.spec import Environment
from rostra.ids import TaskId
from rostra.jobs.tasks import Tasks
from rostra.rendering.tables import Variant
from rostra.runtimes.model import Runtime
from rostra.runtimes.r_model import Beside


class Environments(Protocol):
    """What is asked of `environments.store.Store`. Both look at the disk."""

    def get(self, key: str) -> Environment | None: ...

    def list_ready(self) -> list[Ready]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """What a client asked for. ``bundle_id`` belongs to the item; ``user_id`` is who asked."""

    guid: str
    bundle_id: int
    activate: bool = True
    build_only: bool = False
    user_id: int


class Reports(Protocol):
    """Rendering and mailing documents; each adds a task within the given transaction."""

    async def enqueue_render(
        self,
        session: AsyncSession,
        item: Item,
        variant: Variant,
        user_id: int,
        *,
        activate: bool = True,
        quiet: bool = False,
    ) -> TaskId: ...

    async def enqueue_send(
        self, session: AsyncSession, variant: Variant, rendering: Rendering, to: str, user_id: int
    ) -> TaskId: ...

    async def enqueue_test_mail(self, session: AsyncSession, to: str, user_id: int) -> TaskId: ...


async def nothing_taken() -> Sequence[Sample]:
    return ()


class FromGit(Protocol):
    """Content from Git repositories; each method adds a task within the given transaction."""

    @property
    def available(self) -> bool: ...

    async def enqueue_deploy(
        self, session: AsyncSession, item: Item, user_id: int, *, activate: bool = True
    ) -> TaskId: ...

    async def enqueue_bundle(
        self, session: AsyncSession, item: Item, place: Location, ref: str, user_id: int
    ) -> tuple[int, TaskId]: ...

    async def enqueue_branches(self, session: AsyncSession, url: str, user_id: int) -> TaskId: ...

    async def enqueue_directories(self, session: AsyncSession, url: str, branch: str, user_id: int) -> TaskId: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Lives as long as the control process.

    ``sessions`` make writing transactions, ``reading`` ones that wait for nobody. ``settings`` and ``runtimes`` are
    asked for each time, because a reload changes them. ``bootstrap_secret`` is None when that is switched off.
    ``enqueue_deploy`` adds the task within the given transaction. ``enqueue_cache_removal`` (language, version, who
    asked) likewise; the task ends the environments of that runtime, which are made again when they are needed.
    ``on_item_changed`` is called with the guid after the commit of anything that may change who sees it or how it runs:
    access, permissions, vanity path, process settings, variables, locking, owner, deletion. ``on_credential_changed``
    is called after a key was revoked. ``tries`` counts wrong passwords. ``stop_job`` ends the job with that key,
    a process or a task with all it started, for somebody whose name is said, and returns once nothing of it is left.
    ``running`` is how many processes answer for each item, by its guid; ``taken`` what each takes of the machine now.
    """

    sessions: Sessions
    reading: Sessions
    settings: Callable[[], Settings]
    runtimes: Callable[[], Sequence[Runtime]]
    places: Places
    box: Box
    clock: Clock
    tasks: Tasks
    passwords: Passwords
    tries: Throttle
    environments: Environments
    bootstrap_secret: bytes | None
    enqueue_deploy: Callable[[AsyncSession, Deploy], Awaitable[TaskId]]
    enqueue_cache_removal: Callable[[AsyncSession, str, str, int], Awaitable[TaskId]]
    on_item_changed: Callable[[str], Awaitable[None]]
    on_credential_changed: Callable[[], None]
    stop_job: Callable[[str, str], Awaitable[None]]
    beside: Callable[[], Awaitable[Beside]] = nothing_beside
    reports: Reports
    git: FromGit
    oauth: OAuthTokens
    disk: DiskUse = field(default_factory=DiskUse)
    running: Callable[[], Mapping[str, int]] = dict
    taken: Callable[[], Awaitable[Sequence[Sample]]] = nothing_taken
