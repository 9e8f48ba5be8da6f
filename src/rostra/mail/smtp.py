"""Hands messages to a mail server, over TLS unless the settings say otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from email.message import EmailMessage

import aiosmtplib

from rostra.config import sections
from rostra.mail.transport import NotTaken

_STARTTLS = {"always": True, "detect": None, "never": False}
_LONGEST = 120.0  # seconds for a whole mail; the outbox's lease is longer


class Smtp:
    """A `Transport`. Connects for each mail; the certificate must be valid for the host."""

    def __init__(self, settings: sections.Smtp) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        try:
            async with asyncio.timeout(_LONGEST):
                await self._send(message, sender, recipient)
        except TimeoutError as why:
            raise NotTaken(f"{self._settings.host} did not answer in time") from why
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as why:
            raise NotTaken(_said(why), for_ever=_is_final(why)) from why
        except aiosmtplib.SMTPAuthenticationError as why:
            raise NotTaken(f"{self._settings.host} does not accept the account: {why.message}") from why
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError, ValueError) as why:
            raise NotTaken(f"{self._settings.host}:{self._settings.port}: {why}") from why

    async def _send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        settings = self._settings
        server = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.ssl,
            start_tls=False if settings.ssl else _STARTTLS[settings.start_tls],
            tls_context=await asyncio.to_thread(_trusting, settings),
            username=settings.user or None,
            password=settings.password or None,
        )
        try:
            await server.connect()
            await server.send_message(message, sender=sender, recipients=[recipient])
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await server.quit()  # the mail is theirs by now, however this ends
        finally:
            server.close()


def _trusting(settings: sections.Smtp) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)


def _said(why: aiosmtplib.SMTPException) -> str:
    if isinstance(why, aiosmtplib.SMTPRecipientsRefused):
        return "; ".join(f"{one.recipient}: {one.code} {one.message}" for one in why.recipients)
    assert isinstance(why, aiosmtplib.SMTPResponseException)
    return f"{why.code} {why.message}"


def _is_final(why: aiosmtplib.SMTPException) -> bool:
    if isinstance(why, aiosmtplib.SMTPRecipientsRefused):
        return all(one.code >= 500 for one in why.recipients)
    return isinstance(why, aiosmtplib.SMTPResponseException) and why.code >= 500
