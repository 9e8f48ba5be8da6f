"""What is mailed when a document was rendered, and when it could not be: rows for the outbox. Nobody here commits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.config.sections import Settings
from rostra.content.builds import RuntimeGone
from rostra.content.tables import Item, Rendering
from rostra.content.tools import Tools
from rostra.errors import Problem
from rostra.mail import letters, outbox
from rostra.mail.letters import Told
from rostra.mail.message import BadAddress, Letter
from rostra.rendering import variants
from rostra.rendering.job import MAIL_BODY, MAIL_FACTS, RenderFailed
from rostra.rendering.tables import Variant
from rostra.rendering.variants_people import Reader, readers, watchers

_LARGEST_FACTS = 100_000


@dataclass(frozen=True, slots=True)
class Edition:
    """One rendering, with the variant and the item it is of."""

    item: Item
    variant: Variant
    rendering: Rendering


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document itself says about its mail. ``attachments`` are names of files in its rendering.

    ``text`` and ``html`` say that it has a body of its own; the report is attached then, unless ``without_report``.
    """

    subject: str = ""
    attachments: tuple[str, ...] = ()
    suppressed: bool = False
    without_report: bool = False
    text: str = ""
    html: bool = False

    @property
    def own(self) -> bool:
        return self.html or bool(self.text)


def facts_of(folder: Path) -> Facts:
    """Return what the document in ``folder`` declared; nothing when it declared nothing usable."""
    path = folder / MAIL_FACTS
    try:
        if path.stat().st_size > _LARGEST_FACTS:
            return Facts()
        told: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return Facts()
    names = tuple(str(name) for name in told.get("attachments", ()) if _inside(folder, str(name)))
    return Facts(
        subject=str(told.get("subject", ""))[:200],
        attachments=names,
        suppressed=bool(told.get("suppressed")),
        without_report=bool(told.get("without_report")),
        text=str(told.get("text", "")),
        html=bool(told.get("html")) and (folder / MAIL_BODY).is_file(),
    )


def _inside(folder: Path, name: str) -> bool:
    real = (folder / name).resolve()
    return real.is_relative_to(folder.resolve()) and real.is_file()


def is_on(settings: Settings) -> bool:
    return settings.server.email_provider != "none"


async def announce(session: AsyncSession, tools: Tools, edition: Edition, *, job: str) -> int:
    """Mail a finished scheduled rendering to its readers, unless the document itself says no; return to how many."""
    if facts_of(tools.places.data_dir / edition.rendering.path).suppressed:
        return 0
    found = await readers(session, edition.item, edition.variant)
    return await send(session, tools, edition, found, key=f"{job}/report")


async def send(session: AsyncSession, tools: Tools, edition: Edition, to: Sequence[Reader], *, key: str) -> int:
    """Mail a rendering to these people; return to how many it was not on its way already."""
    rendering = edition.rendering
    if any(not reader.may_edit for reader in to):
        rendering.shown = True  # the letter has its address, so they may open that
    facts = facts_of(tools.places.data_dir / rendering.path)
    page = None if facts.without_report or facts.own else rendering.primary
    attached = [rendering.primary] if facts.own and not facts.without_report else []
    letter = letters.report(
        _told(tools, edition.item, edition.variant, rendering),
        page=f"{rendering.path}/{MAIL_BODY if facts.html else page}" if facts.html or page else None,
        revision_url=revision_url(tools, edition),
        attachments=[(Path(name).name, f"{rendering.path}/{name}") for name in [*attached, *facts.attachments]],
        subject=facts.subject,
        own=facts.text if facts.own else None,
    )
    return await post(session, tools, [(reader, letter) for reader in to], key)


async def complain(session: AsyncSession, tools: Tools, item: Item, variant: Variant, why: Problem, *, job: str) -> int:
    """Mail that a scheduled rendering failed, with the decisive lines to those who may read its log."""
    last = await variants.latest(session, item.id, variant)
    told = _told(tools, item, variant, None)

    def letter(reader: Reader) -> Letter:
        return letters.failure(
            told,
            why=why.message,
            hint=why.hint,
            lines=_decisive(why) if reader.may_edit else (),
            logs_url=f"{settings_page(tools, item)}/logs?job={job}",
            scheduled=True,
            kept=last.rendered_at if last else None,
        )

    found = await watchers(session, item, variant)
    return await post(session, tools, [(reader, letter(reader)) for reader in found], f"{job}/failure")


async def post(session: AsyncSession, tools: Tools, mails: Sequence[tuple[Reader, Letter]], key: str) -> int:
    """Put each letter in the outbox, once for each ``key`` and person; return how many. Without mail, none."""
    settings = tools.settings()
    if not is_on(settings):
        return 0
    count = 0
    for reader, letter in mails:
        try:
            count += await outbox.post(
                session,
                f"{key}/{reader.user.id}",
                reader.user.email,
                letter,
                sender=settings.server.sender_email,
                now=tools.clock.now(),
            )
        except BadAddress:  # one person's bad address must not cost the others their report
            continue
    return count


def revision_url(tools: Tools, edition: Edition) -> str:
    return f"{_url(tools, edition.item, edition.variant)}_rev{edition.rendering.id}/"


def _url(tools: Tools, item: Item, variant: Variant) -> str:
    base = f"{tools.server_url}/content/{item.guid}/"
    return base if variant.is_default else f"{base}v{variant.key}/"


def settings_page(tools: Tools, item: Item) -> str:
    return f"{tools.server_url}{tools.settings().server.dashboard_path.rstrip('/')}/apps/{item.guid}"


def _told(tools: Tools, item: Item, variant: Variant, rendering: Rendering | None) -> Told:
    title = item.title or item.name
    return Told(
        server=tools.settings().server.system_display_name,
        title=title if variant.is_default else f"{title} – {variant.name}",
        url=_url(tools, item, variant),
        settings_url=settings_page(tools, item),
        at=rendering.rendered_at if rendering else tools.clock.now(),
    )


def _decisive(why: Problem) -> Sequence[str]:
    if isinstance(why, RenderFailed):
        return why.lines
    if isinstance(why, RuntimeGone):
        return (f"Python {why.version} ({why.path}) is not offered any more.",)
    lines: Sequence[Any] = getattr(why, "lines", ())
    return [str(getattr(line, "text", line)) for line in lines]
