"""Starts content aside, asks for its first page and opens a session, on any interpreter, where no visitor can reach it.

The process gets a socket of its own that the gateway never hears of, a base path nobody is given, the item's variables
(it could not start truthfully without them) and no API key.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rostra.content import beside, disk, variables
from rostra.content.deploy import Work
from rostra.content.launching import Start, launch, seconds
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.spec import Environment
from rostra.errors import Problem
from rostra.execution import logs
from rostra.execution.launcher import Launch
from rostra.execution.pool import StartFailed
from rostra.ids import ProcessKey, new_key
from rostra.rehearsal import page as pages
from rostra.rehearsal import sessions
from rostra.rehearsal.blame import blame
from rostra.rehearsal.model import Answer
from rostra.rehearsal.session import Opened, Session
from rostra.rendering.job import RenderFailed

RenderAside = Callable[[Work, Environment, Path], Awaitable[None]]
"""Renders the bundle with this environment into a folder that does not exist yet; raises `RenderFailed`."""

ANSWER_SECONDS = 60.0
_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Aside:
    """Starts and renders for one rehearsal, whose files go below ``folder``."""

    tools: Tools
    render: RenderAside
    folder: Path

    async def run(self, work: Work, environment: Environment) -> Answer:
        """Start the item once with this environment, ask it, end it."""
        try:
            what = await self._launch(work, environment)
        except Problem as why:
            return Answer(good=False, reason=why.message)
        settings = self.tools.settings().scheduler
        code = self.tools.places.app(work.item.guid, work.bundle.id)
        try:
            member = await self.tools.pools.prove(
                what, init_timeout=seconds(work.item.init_timeout, settings.init_timeout)
            )
        except StartFailed as failed:
            said = [line.text for line in failed.lines]
            reason, where = blame(said, code)
            return Answer(good=False, reason=reason or failed.message, where=where, lines=tuple(said[-_SHOWN:]))
        except Problem as why:
            return Answer(good=False, reason=why.message)
        try:
            return await self._ask(work, what, code)
        finally:
            await asyncio.shield(self.tools.pools.discard(member))
            what.log.unlink(missing_ok=True)

    async def document(self, work: Work, environment: Environment) -> Answer:
        """Render the item once with this environment and throw the result away."""
        folder = self.folder / f".scratch-{new_key()}"
        try:
            await self.render(work, environment, folder)
        except RenderFailed as failed:
            where = _place(work.manifest.entrypoint, failed) or blame(failed.lines, Path("/nowhere"))[1]
            return Answer(good=False, reason=failed.message, where=where, lines=failed.lines[-_SHOWN:])
        except Problem as why:
            return Answer(good=False, reason=why.message)
        finally:
            await asyncio.shield(disk.remove_all((folder,)))
        return Answer(good=True)

    async def _launch(self, work: Work, environment: Environment) -> Launch:
        tools, key = self.tools, ProcessKey(new_key())
        overlay = await tools.environments.overlay(environment.runtime, lambda _: None)
        chosen = beside.recorded(work.kind, beside.wish(work.manifest), work.bundle, await tools.beside())
        async with transaction(tools.reading) as session:
            own = await variables.for_process(session, tools.box, work.item.id)
        start = Start(
            guid=work.item.guid,
            bundle_id=work.bundle.id,
            kind=work.kind.name,
            entrypoint=work.bundle.entrypoint,
            base_path=f"/content/{work.item.guid}/_rehearsal/",
            server_url=tools.server_url,
            environment=environment,
            overlay=overlay,
            variables=own,
            api_key=None,
            user=tools.user,
            log_bytes=1_000_000,
            memory_bytes=work.item.memory_limit or None,
            options={},
            r=chosen.r,
        )
        # No item among the labels: it is not written down as one of the item's jobs, and a restart ends it.
        made = launch(start, key, tools.places, {"rehearsal": self.folder.name})
        return dataclasses.replace(made, log=self.folder / f"{key}.log")

    async def _ask(self, work: Work, what: Launch, code: Path) -> Answer:
        base = f"/content/{work.item.guid}/_rehearsal/"
        path, prefix = ("/", base.rstrip("/")) if work.kind.stripped else (base, "")
        try:
            page = await asyncio.to_thread(pages.first, what.socket, path, ANSWER_SECONDS, prefix=prefix)
        except TimeoutError:
            return Answer(good=False, reason=f"did not answer within {ANSWER_SECONDS:g} s")
        except (OSError, ValueError) as why:
            said = await _said(what)
            reason, where = blame(said, code)
            return Answer(good=False, reason=reason or f"broke off: {why}", where=where, lines=tuple(said[-_SHOWN:]))
        if page.status >= 500:
            said = await _said(what)
            reason, where = blame(said, code)
            text = f"answers {page.status}" + (f": {reason}" if reason else "")
            return Answer(good=False, status=page.status, reason=text, where=where, lines=tuple(said[-_SHOWN:]))
        if page.status >= 400:
            return Answer(good=True, status=page.status)
        session = await sessions.use(work.kind.name, Opened(what.socket, path, page), ANSWER_SECONDS)
        return await self._seen(session, page.status, what, code)

    @staticmethod
    async def _seen(session: Session, status: int, what: Launch, code: Path) -> Answer:
        said = await _said(what)
        reason, where = blame(said, code)
        caught = bool(where) and any(mark in line for line in said for mark in sessions.SAID)
        if not session.failed and not caught:
            return Answer(good=True, status=status, ran=session.ran, unseen=session.unseen)
        told = f"its page comes, but {session.failed or 'its code fails'}"
        text = told if not reason or reason.partition(": ")[2] in told else f"{told}: {reason}"
        return Answer(good=False, status=status, reason=text, where=where, lines=tuple(said[-_SHOWN:]))


async def _said(what: Launch) -> list[str]:
    await asyncio.sleep(0.1)  # what content writes about its failure may come after the answer
    return [line.text for line in await asyncio.to_thread(logs.read, what.log, 200)]


def _place(notebook: str, failed: RenderFailed) -> str:
    if failed.cell is None:
        return ""
    return f"{notebook} cell {failed.cell}" + (f":{failed.line}" if failed.line is not None else "")
