"""How a finished message leaves. `smtp` is one way; here are those that need no mail server."""

from __future__ import annotations

import asyncio
import hashlib
import os
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import structlog

from rostra.config.sections import Settings
from rostra.errors import Unavailable
from rostra.ids import new_key

log = structlog.get_logger()


class NotTaken(Unavailable):
    """Nobody took the mail. ``for_ever``: trying again is of no use."""

    code = "mail-not-taken"

    def __init__(self, why: str, *, for_ever: bool = False) -> None:
        self.for_ever = for_ever
        super().__init__(f"the mail was not taken: {why}", hint="Check Server.EmailProvider and [SMTP].")


class Transport(Protocol):
    """Contract:

    1. ``send`` returns once somebody else is responsible for the message, and not before.
    2. It raises `NotTaken` otherwise, also when it takes too long; nothing else.
    3. It may be called again with the same message, and by several tasks at once.
    """

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None: ...


class Printing:
    """Writes to the server's log who would have got what. For trying things out."""

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        parts = [part.get_filename() or "" for part in message.iter_attachments()]
        log.info("mail", sender=sender, to=recipient, subject=str(message["Subject"]), text=text, attachments=parts)


class Filing:
    """Writes each message to a file of its own, named by its Message-ID: one that comes again is the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:  # noqa: ARG002
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as why:
            raise NotTaken(f"{self._folder}: {why.strerror or why}") from why

    def _write(self, message: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(str(message["Message-ID"]).encode()).hexdigest()[:32]
        scratch = self._folder / f".scratch-{new_key()}"
        with scratch.open("xb") as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(self._folder / f"{name}.eml")


def chosen(settings: Settings) -> Transport | None:
    """Return how mail leaves this server; None when it does not."""
    match settings.server.email_provider:
        case "smtp":
            from rostra.mail.smtp import Smtp  # loads a TLS context: only where it is used

            return Smtp(settings.smtp)
        case "print":
            return Printing()
        case "file":
            return Filing(settings.server.data_dir / "mail")
        case _:
            return None
