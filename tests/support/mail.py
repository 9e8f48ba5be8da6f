"""A mail server of a test's own: it insists on TLS and an account, and keeps what it took."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

USER, PASSWORD = "rostra", "a secret"


@dataclass
class Taken:
    """One mail as it came. ``tls`` says whether it came encrypted."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    tls: bool

    def part(self, subtype: str) -> str:
        found = self.message.get_body((subtype,))
        assert found is not None
        return str(found.get_content())


@dataclass
class MailServer:
    """``answers`` are given, in order, instead of taking mails; None takes one.

    ``hold``: keep the next sender waiting, ``before`` the mail is taken (it never is then) or ``after`` that, until
    ``go_on`` is set. ``held`` says that one waits.
    """

    port: int = 0
    ca_file: Path = field(default_factory=Path)
    taken: list[Taken] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    hold: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            return answer
        if self.hold == "before":
            await self._wait()
            return "451 too late"
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append(Taken(envelope.mail_from, envelope.rcpt_tos, message, session.ssl is not None))  # type: ignore[arg-type]
        if self.hold == "after":
            await self._wait()
        return "250 taken"

    async def _wait(self) -> None:
        self.hold = ""
        self.held.set()
        while not self.go_on.is_set():
            await asyncio.sleep(0.02)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("gone@"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    def wait_for(self, count: int, within: float = 30.0) -> list[Taken]:
        """Return everything that was taken once there is that much."""
        deadline = time.monotonic() + within
        while len(self.taken) < count:
            assert time.monotonic() < deadline, f"{len(self.taken)} of {count} mails came"
            time.sleep(0.05)
        return self.taken


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine, and of its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    here = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
    made = made.not_valid_after(now + dt.timedelta(days=1)).add_extension(here, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return folder / "cert.pem", folder / "key.pem"


@contextmanager
def mail_server(folder: Path, *, port: int, at_once: bool = False) -> Iterator[MailServer]:
    """Run a mail server. ``at_once``: TLS from the first byte, instead of STARTTLS."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    handler = MailServer(port, cert)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = (getattr(data, "login", b""), getattr(data, "password", b"")) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=right)

    tls: dict[str, Any] = {"ssl_context": context} if at_once else {"tls_context": context, "require_starttls": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller = Controller(
            handler,
            hostname="127.0.0.1",
            port=port,
            authenticator=check,
            auth_required=not at_once,
            **tls,
        )
        controller.start()
    try:
        yield handler
    finally:
        controller.stop()
