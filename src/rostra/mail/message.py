"""A mail as a value, and as the message that goes over the wire: plain text, HTML, pictures, attachments."""

from __future__ import annotations

import datetime as dt
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart

from rostra.errors import Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
_LONGEST_SUBJECT = 300
_TYPES = mimetypes.MimeTypes(filenames=())  # the host's own table must not change what a mail is


class BadAddress(Invalid):
    """``address`` is not one that mail can be sent to."""

    code = "bad-address"

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(f"{address[:80]!r} is not a mail address", hint="Write for example ada@example.org.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be said to somebody. ``html`` is a whole page; ``<!--page-->`` in it is where a report goes.

    ``page`` is the report's HTML file and ``attachments`` are (name, path), all relative to the data folder;
    ``page_url`` is where the report can be read, for its relative links.
    """

    subject: str
    text: str
    html: str
    page: str | None = None
    page_url: str | None = None
    attachments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a message. ``cid`` is set for a picture that the HTML shows."""

    name: str
    content: bytes
    media_type: str = ""
    cid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Everything a message is made from. ``sender`` and ``recipient`` are bare addresses."""

    sender: str
    sender_name: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str
    at: dt.datetime
    parts: Sequence[Part] = field(default=())


def check_address(address: str) -> str:
    """Return ``address`` without the spaces around it.

    Raises:
        BadAddress
    """
    bare = address.strip()
    if len(bare) > 254 or not _ADDRESS.fullmatch(bare):
        raise BadAddress(address)
    return bare


def header(text: str) -> str:
    """Return ``text`` as one line that cannot begin another header."""
    return " ".join(_CONTROL.sub(" ", text).split())[:_LONGEST_SUBJECT]


def built(outgoing: Outgoing) -> EmailMessage:
    """Return the message. Programs that answer mail are told not to."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = Address(header(outgoing.sender_name), addr_spec=check_address(outgoing.sender))
    message["To"] = Address(addr_spec=check_address(outgoing.recipient))
    message["Subject"] = header(outgoing.subject)
    message["Date"] = outgoing.at
    message["Message-ID"] = outgoing.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_storable(outgoing.text), cte="quoted-printable")
    message.add_alternative(_storable(outgoing.html), subtype="html", cte="quoted-printable")
    pictures = [part for part in outgoing.parts if part.cid]
    _add_pictures(message, pictures)
    for part in outgoing.parts:
        if not part.cid:
            kind, _, subtype = (part.media_type or _guessed(part.name)).partition("/")
            message.add_attachment(part.content, maintype=kind, subtype=subtype, filename=header(part.name))
    return message


def _add_pictures(message: EmailMessage, pictures: Sequence[Part]) -> None:
    html = message.get_payload(1)
    assert isinstance(html, MIMEPart)
    for picture in pictures:
        kind, _, subtype = picture.media_type.partition("/")
        html.add_related(
            picture.content, maintype=kind, subtype=subtype, cid=f"<{picture.cid}>", disposition="inline",
            filename=header(picture.name),
        )  # fmt: skip


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _guessed(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    return kind if kind and encoding is None else "application/octet-stream"
