"""Starts content aside, asks for its first page and opens a session, on any interpreter, where no visitor can reach it.

The process gets a socket of its own that the gateway never hears of, a base path nobody is given, the item's variables
(it could not start truthfully without them) and no API key.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Sequence
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
from rostra.rehearsal.model import Answer
from rostra.rehearsal.session import Opened, Session
from rostra.rendering.job import RenderFailed

RenderAside = Callable[[Work, Environment, Path], Awaitable[None]]
"""Renders the bundle with this environment into a folder that does not exist yet; raises `RenderFailed`."""

ANSWER_SECONDS = 60.0
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_ERROR = re.compile(r"^(?P<what>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Failed|NotFound)\b.*)$")
_IMPORT = re.compile(r"(?:import|from)\s+(?P<name>\w+)")
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
            cell = f" cell {failed.cell}" if failed.cell is not None else ""
            place = f"{work.manifest.entrypoint}{cell}" + (f":{failed.line}" if failed.line is not None else "")
            return Answer(good=False, reason=failed.message, where=place, lines=failed.lines[-_SHOWN:])
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


def blame(lines: Sequence[str], code: Path) -> tuple[str, str]:
    """Return (what went wrong, where) from a traceback: the last error, and the deepest frame in the item's own files.

    The runner shows only those, with relative paths; a failure inside a package is told by the line that imports it.
    """
    errors = [found["what"] for line in lines if (found := _ERROR.match(line.strip()))]
    frames = [
        (number, found["file"], found["line"]) for number, line in enumerate(lines) if (found := _FRAME.search(line))
    ]
    prefix = f"{code}/"
    own = [each for each in frames if each[1].startswith(prefix) or not each[1].startswith(("/", "<"))]
    reason = errors[-1][:300] if errors else ""
    package = _package(frames[-1][1]) if frames else ""
    if own and not package and own[-1][0] + 1 < len(lines):
        package = _imported(lines[own[-1][0] + 1], reason)
    if reason and package:
        reason = f"{reason} (in {package})"
    return reason, f"{own[-1][1].removeprefix(prefix)}:{own[-1][2]}" if own else ""


def _package(file: str) -> str:
    return file.partition("/site-packages/")[2].partition("/")[0].removesuffix(".py")


def _imported(source: str, reason: str) -> str:
    """Return the package whose import failed inside of it; nothing when it is just not there."""
    found = _IMPORT.match(source.strip())
    missing = found is not None and f"No module named '{found['name']}'" in reason
    return "" if found is None or missing else found["name"]
