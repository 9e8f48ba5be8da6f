"""Renders documents for a deploy: the job, the sandbox around its kernel, and the row that remembers the result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rostra.app import doing
from rostra.app.doing import Doing
from rostra.app.r_documents import Asked, make
from rostra.auth import keys
from rostra.content import items, session_tokens, variables
from rostra.content.builds import Say
from rostra.content.deploy import Work
from rostra.content.tables import Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.spec import Environment
from rostra.execution import sandbox, weights
from rostra.execution.launcher import Launch, Mount
from rostra.execution.sandbox import HostFacts
from rostra.ids import ProcessKey, new_key
from rostra.rendering import variants
from rostra.rendering.job import KernelCommand, KernelPlaces, Rendered, RenderJob
from rostra.rendering.notebook import render
from rostra.rendering.ready_kernels import ReadyKernels
from rostra.rendering.renderers import NICE, PlainRenderers, Renderers

_TOKEN = "CONNECT_CONTENT_SESSION_TOKEN"  # noqa: S105
_SLACK = dt.timedelta(minutes=10)  # between the making of a render's key and the start of its time limit


@dataclass(frozen=True, slots=True)
class Renderer:
    """Called by `content.deploy` for kinds that are made ahead of the visit."""

    tools: Tools
    host: HostFacts
    renderers: Renderers = field(default_factory=lambda: PlainRenderers(NICE))
    doing: Doing = field(default_factory=Doing)
    ready: ReadyKernels | None = None

    async def __call__(
        self,
        work: Work,
        environment: Environment | None,
        say: Say,
        parameters: Mapping[str, Any] | None = None,
        *,
        awaited: bool = True,
    ) -> Rendering:
        """Render the bundle into a new folder of its item; ``parameters`` None: those of its default variant.

        ``awaited``: people wait for such renders, so the next one's kernel is made ready.

        Raises:
            RenderFailed: with cell and line; nothing is left of it.
        """
        tools, key = self.tools, ProcessKey(new_key())
        async with transaction(tools.reading) as session:
            own = await variables.for_process(session, tools.box, work.item.id)
            usual = await variants.find_default(session, work.item) if parameters is None else None
        folder = tools.places.renderings(work.item.guid) / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        tools.places.kernel(key).parent.mkdir(parents=True, exist_ok=True)
        given = parameters if parameters is not None else (usual.parameters if usual else {})
        async with self._credentials(work, key) as credentials:
            # The owner may set another key, no other token.
            late = {name: value for name, value in credentials.items() if name == _TOKEN or name not in own}
            if not work.kind.python:
                asked = Asked(work=work, environment=environment, folder=folder, own={**own, **late}, parameters=given)
                done = await make(asked, tools, self.host, say, self.doing)
            else:
                assert environment is not None, "notebooks run in an environment"
                job = self._job(work, environment, own, key, folder)
                done = await self._rendered(dataclasses.replace(job, parameters=given, late=late), work, say)
                if awaited:
                    self._prepare(work, environment, own)
        return Rendering(
            item_id=work.item.id,
            bundle_id=work.bundle.id,
            job_key=doing.current() or key,
            path=str(folder.relative_to(tools.places.data_dir)),
            primary=done.primary,
            rendered_at=tools.clock.now(),
            duration_ms=round(done.duration.total_seconds() * 1000),
        )

    async def _rendered(self, job: RenderJob, work: Work, say: Say) -> Rendered:
        ready = await self.ready.take(work.item.guid, job) if self.ready else None
        if ready is not None:
            before = await asyncio.to_thread(weights.weigh, ready.conversation.pid)
            self.doing.began(ready.conversation.pid, before)
        return await render(job, say, self.renderers, ready, ended=self.doing.ended)

    async def follow(self, guid: str) -> None:
        """End the kernel that is ready for an item when that is not any more what the kernel was made for."""
        if self.ready is None or not self.ready.has(guid):
            return
        async with transaction(self.tools.reading) as session:
            item = await items.find(session, guid)
            own = await variables.for_process(session, self.tools.box, item.id) if item else {}
        if item is None or item.live_bundle_id is None:
            await self.ready.end(guid)
            return
        code_dir, env = self.tools.places.app(guid, item.live_bundle_id), self._env(own, guid)
        await self.ready.follow(guid, lambda job: job.code_dir == code_dir and job.env == env)

    async def end_ready(self, guid: str | None = None) -> None:
        """End the kernel that is ready for an item (None: for any)."""
        if self.ready is None:
            return
        await (self.ready.end_all() if guid is None else self.ready.end(guid))

    def _prepare(self, work: Work, environment: Environment, own: dict[str, str]) -> None:
        if self.ready:
            key = ProcessKey(new_key())
            nowhere = self.tools.places.renderings(work.item.guid) / key  # beside it lies the copy of the bundle
            self.ready.prepare(work.item.guid, self._job(work, environment, own, key, nowhere))

    @contextlib.asynccontextmanager
    async def _credentials(self, work: Work, key: ProcessKey) -> AsyncIterator[dict[str, str]]:
        """Give what the document speaks to this server with, as long as it is being made."""
        tools, applications, now = self.tools, self.tools.settings().applications, self.tools.clock.now()
        token = {_TOKEN: session_tokens.make_for_content(tools.box, work.item.guid)}
        if not applications.default_api_key_env:
            yield token
            return
        until = now + applications.render_timeout + _SLACK
        async with transaction(tools.sessions) as session:
            secret = await keys.for_render(session, work.item.owner_id, key, now, expires_at=until)
        try:
            yield {"CONNECT_API_KEY": secret, **token}
        finally:
            async with transaction(tools.sessions) as session:
                await keys.revoke_for_render(session, key)

    async def aside(self, work: Work, environment: Environment, folder: Path) -> None:
        """Render the bundle into ``folder``, which nobody is shown.

        Raises:
            RenderFailed: nothing is left of it.
        """
        tools, key = self.tools, ProcessKey(new_key())
        async with transaction(tools.reading) as session:
            own = await variables.for_process(session, tools.box, work.item.id)
        for parent in (folder.parent, tools.places.kernel(key).parent):
            parent.mkdir(parents=True, exist_ok=True)
        if not work.kind.python:
            asked = Asked(work=work, environment=environment, folder=folder, own=own, parameters={})
            await make(asked, tools, self.host, lambda _: None, self.doing)
            return
        await render(self._job(work, environment, own, key, folder), lambda _: None, self.renderers)

    def _job(
        self, work: Work, environment: Environment, own: dict[str, str], key: ProcessKey, folder: Path
    ) -> RenderJob:
        tools, settings = self.tools, self.tools.settings()
        return RenderJob(
            python=environment.python,
            code_dir=tools.places.app(work.item.guid, work.bundle.id),
            notebook=work.manifest.entrypoint,
            output=folder,
            connection_dir=tools.places.kernel(key),
            title=work.item.title or work.item.name,
            wrap=self._wrap(environment, key),
            env=self._env(own, work.item.guid),
            hide_all_input=work.manifest.hide_all_input,
            hide_tagged_input=work.manifest.hide_tagged_input,
            timeout=settings.applications.render_timeout,
            user=tools.user,
        )

    def _env(self, own: dict[str, str], guid: str) -> dict[str, str]:
        return {
            **own,
            "CONNECT_SERVER": self.tools.server_url + "/",
            "CONNECT_CONTENT_GUID": guid,
            "POSIT_PRODUCT": "CONNECT",
            "RSTUDIO_PRODUCT": "CONNECT",
        }

    def _wrap(self, environment: Environment, key: ProcessKey) -> KernelCommand:
        def wrap(argv: Sequence[str], places: KernelPlaces) -> Sequence[str]:
            launch = Launch(
                key=key,
                argv=tuple(argv),
                cwd=places.cwd,
                env={},
                run_dir=places.connection_dir,
                log=places.connection_dir / "log",
                mounts=(*(Mount(path) for path in environment.mounts), Mount(places.work_dir, writable=True)),
                user=self.tools.user,
            )
            # The kernel is a child of the renderer, not of a launcher: no control group is made for it.
            host = dataclasses.replace(self.host, memory_groups=False, process_groups=False)
            return sandbox.command(launch, host)

        return wrap
