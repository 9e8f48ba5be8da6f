"""Renders documents that are made by R or Quarto: which program, what it sees, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostra.app.building import POLITELY
from rostra.app.doing import Doing
from rostra.content import beside
from rostra.content.builds import Say
from rostra.content.deploy import Work
from rostra.content.tools import Tools
from rostra.environments.spec import Environment
from rostra.execution.sandbox import SEARCH_PATH, HostFacts
from rostra.execution.shell import SandboxedShell
from rostra.kinds import quarto as quarto_kind
from rostra.kinds import r as r_kind
from rostra.kinds.command import RUNNER_DIR
from rostra.rendering import quarto, rmarkdown
from rostra.rendering.document import DocumentJob, Folders, render_document
from rostra.rendering.job import Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One document to make: ``folder`` is where it goes, ``own`` are the item's variables."""

    work: Work
    environment: Environment | None
    folder: Path
    own: Mapping[str, str]
    parameters: Mapping[str, Any]


async def make(asked: Asked, tools: Tools, host: HostFacts, say: Say, doing: Doing) -> Rendered:
    """Render with what the bundle's deploy chose; ``doing`` is told of the process.

    Raises:
        RenderFailed: nothing is left of it.
        ProgramGone: its R or Quarto is not there any more.
    """
    work = asked.work
    wanted = beside.wish(work.manifest)
    chosen = beside.recorded(work.kind, wanted, work.bundle, await tools.beside())
    code = tools.places.app(work.item.guid, work.bundle.id)
    job = (
        _quarto_job(asked, tools, chosen, quarto_kind.primary_document(code, wanted.document))
        if chosen.quarto
        else _r_job(asked, tools, chosen, _document(work, code, wanted.document))
    )
    shell = SandboxedShell(
        host, tools.user, None, tools.places.run_dir / "builds", began=doing.began, ended=doing.ended
    )
    say(f"Rendering {job.document if job.document != '.' else 'the project'}")
    return await render_document(job, shell, say)


def _document(work: Work, code: Path, named: str) -> str:
    """A site is rendered as a whole, in the folder of its document."""
    found = r_kind.primary_document(code, named)
    return "." if work.manifest.content_category == "site" and (code / "_site.yml").is_file() else found


def _r_job(asked: Asked, tools: Tools, chosen: beside.Chosen, document: str) -> DocumentJob:
    assert chosen.r is not None, "chosen at deploy"
    return DocumentJob(
        argv=_politely(rmarkdown.command(chosen.r.executable)),
        code_dir=tools.places.app(asked.work.item.guid, asked.work.bundle.id),
        document=document,
        output=asked.folder,
        failure=rmarkdown.failure,
        tidy=rmarkdown.tidy,
        parameters=asked.parameters,
        env={**_told(asked, tools), **r_kind.variables(asked.environment)},
        readable=_readable(asked, chosen),
        timeout=tools.settings().applications.render_timeout,
    )


def _quarto_job(asked: Asked, tools: Tools, chosen: beside.Chosen, document: str) -> DocumentJob:
    assert chosen.quarto is not None, "chosen at deploy"
    r = chosen.r.executable if chosen.r else None
    told = {**_told(asked, tools), **r_kind.variables(asked.environment)}
    return DocumentJob(
        argv=_politely(quarto.command(chosen.quarto.executable, document, asked.parameters)),
        code_dir=tools.places.app(asked.work.item.guid, asked.work.bundle.id),
        document=document,
        output=asked.folder,
        failure=quarto.failure,
        finish=quarto.finish(document),
        declared=quarto.declared(document),
        env={**told, **quarto_kind.variables(asked.environment, r)},
        readable=_readable(asked, chosen),
        timeout=tools.settings().applications.render_timeout,
    )


def _politely(command: Callable[[Folders], Sequence[str]]) -> Callable[[Folders], Sequence[str]]:
    return lambda folders: (*POLITELY, *command(folders))


def _told(asked: Asked, tools: Tools) -> dict[str, str]:
    python = f"{asked.environment.python.parent}:" if asked.environment else ""
    return {
        "LANG": "C.UTF-8",
        **asked.own,
        "PATH": f"{python}{SEARCH_PATH}",
        "CONNECT_SERVER": tools.server_url + "/",
        "CONNECT_CONTENT_GUID": asked.work.item.guid,
        "POSIT_PRODUCT": "CONNECT",
        "RSTUDIO_PRODUCT": "CONNECT",
    }


def _readable(asked: Asked, chosen: beside.Chosen) -> tuple[Path, ...]:
    python = asked.environment.mounts if asked.environment else ()
    r = chosen.r.mounts if chosen.r else ()
    return (*python, *r, *(chosen.quarto.mounts if chosen.quarto else ()), RUNNER_DIR)
