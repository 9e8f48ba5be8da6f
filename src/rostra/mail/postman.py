"""Empties the outbox: claims a mail, puts it together, hands it over, writes down how that went."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
import structlog

from rostra.clock import Clock
from rostra.config.sections import Settings
from rostra.db.engine import Sessions, transaction
from rostra.ids import new_key
from rostra.mail import outbox
from rostra.mail.message import BadAddress, Outgoing, Part, built
from rostra.mail.outbox import Claimed
from rostra.mail.tables import Mail
from rostra.mail.transport import NotTaken, Transport, chosen

log = structlog.get_logger()

PAGE_MARK = "<!--page-->"  # where the report goes in a letter's HTML
LARGEST_ATTACHMENT = 20_000_000
_LOOK_EVERY = 5.0  # seconds; another process may have put something in
_LAST_SECONDS = 5.0  # for the mail that is on its way when the server ends
_DATABASE_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)


class Postman:
    """One for each process. ``transport`` is asked for each time, because settings are reloaded."""

    def __init__(
        self,
        sessions: Sessions,
        reading: Sessions,
        settings: Callable[[], Settings],
        clock: Clock,
        *,
        transport: Callable[[Settings], Transport | None] = chosen,
    ) -> None:
        self._sessions, self._reading, self._settings, self._clock = sessions, reading, settings, clock
        self._transport = transport
        self._any = asyncio.Event()
        self._node = str(settings().server.data_dir)
        self._worker = f"{self._node}/{new_key(8)}"

    def wake(self) -> None:
        """Look at once: something was put in."""
        self._any.set()

    async def run(self) -> None:
        """Free what a crash left, then send until cancelled. A mail on its way then gets a few seconds more."""
        async with transaction(self._sessions) as session:
            freed = await outbox.reclaim(session, self._node)
            await outbox.prune(session, self._clock.now())
        if freed:
            log.info("mails that were on their way are sent again", mails=freed)
        while True:
            self._any.clear()
            if not await self._send_one():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._any.wait()

    async def _send_one(self) -> bool:
        try:
            claimed = await self.claim()
        except _DATABASE_AWAY as why:
            log.warning("the outbox cannot be read; trying again", why=str(why.orig))
            return False
        if claimed is None:
            return False
        sending = asyncio.ensure_future(self.deliver(claimed))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_LAST_SECONDS)
            sending.cancel()
            await asyncio.wait([sending])
            raise
        except _DATABASE_AWAY as why:  # it is sent again when the lease has run out
            log.warning("how a mail went cannot be written down", mail=claimed.mail.key, why=str(why.orig))
        return True

    async def claim(self) -> Claimed | None:
        """Take the next mail, if mail leaves this server at all."""
        if self._transport(self._settings()) is None:
            return None
        async with transaction(self._reading) as session:
            if not await outbox.anything_waits(session, self._clock.now()):
                return None
        async with transaction(self._sessions) as session:
            return await outbox.claim(session, self._worker, self._clock.now())

    async def deliver(self, claimed: Claimed) -> None:
        """Hand the mail over and write down how that went."""
        mail = claimed.mail
        try:
            await self.hand_over(mail)
        except (NotTaken, BadAddress) as why:
            log.warning("mail not sent", to=mail.recipient, subject=mail.subject, why=why.message)
            final = not isinstance(why, NotTaken) or why.for_ever
            async with transaction(self._sessions) as session:
                await (outbox.refused if final else outbox.again)(session, claimed, self._clock.now(), why.message)
            return
        except Exception as why:
            log.exception("a mail could not be put together because of a bug", mail=mail.key)
            async with transaction(self._sessions) as session:
                await outbox.refused(session, claimed, self._clock.now(), repr(why))
            return
        async with transaction(self._sessions) as session:
            await outbox.sent(session, claimed, self._clock.now())
        log.info("mail sent", to=mail.recipient, subject=mail.subject)

    async def hand_over(self, mail: Mail) -> None:
        """Put the mail together and hand it over; nothing is written down.

        Raises:
            NotTaken, BadAddress
        """
        settings = self._settings()
        transport = self._transport(settings)
        if transport is None:
            raise NotTaken("mail is switched off")
        outgoing = await asyncio.to_thread(put_together, mail, settings)
        await transport.send(await asyncio.to_thread(built, outgoing), outgoing.sender, outgoing.recipient)


def put_together(mail: Mail, settings: Settings) -> Outgoing:
    """Read the report and the attachments; what is gone or too large is left out, and the link in the text stays."""
    server = settings.server
    html, parts = mail.html, [*_attached(mail, server.data_dir)]
    if mail.page is not None:
        fragment, pictures = _page(server.data_dir / mail.page, mail.page_url or "")
        html = html.replace(PAGE_MARK, fragment)
        parts += pictures
    return Outgoing(
        sender=server.sender_email,
        sender_name=server.sender_email_display_name or server.system_display_name,
        recipient=mail.recipient,
        subject=mail.subject,
        text=mail.text,
        html=html,
        message_id=mail.message_id,
        at=mail.created_at,
        parts=parts,
    )


def _page(path: Path, url: str) -> tuple[str, tuple[Part, ...]]:
    from rostra.mail.page import TooLargeForMail, for_mail  # its libraries are large, and few mails have a page

    try:
        fragment = for_mail(path, url)
    except (TooLargeForMail, OSError):
        return "<p>This report is read on the server; the link is above.</p>", ()
    return fragment.html, fragment.pictures


def _attached(mail: Mail, data_dir: Path) -> list[Part]:
    found: list[Part] = []
    left = LARGEST_ATTACHMENT
    for told in mail.attachments:
        path = data_dir / told["path"]
        with contextlib.suppress(OSError):
            if path.stat().st_size <= left:
                content = path.read_bytes()
                left -= len(content)
                found.append(Part(told["name"], content))
    return found
