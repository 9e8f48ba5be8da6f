"""Handing mail to a real mail server, with TLS and an account."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.server import free_port

from rostra.config import sections
from rostra.mail.message import Outgoing, Part, built
from rostra.mail.smtp import Smtp
from rostra.mail.transport import NotTaken

pytestmark = pytest.mark.anyio

AT = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path, port=free_port()) as server:
        yield server


def settings(there: MailServer, **more: object) -> sections.Smtp:
    usual = {"host": "127.0.0.1", "port": there.port, "user": USER, "password": PASSWORD, "ca_file": there.ca_file}
    return sections.Smtp(**{**usual, "timeout": dt.timedelta(seconds=5), **more})  # type: ignore[arg-type]


def outgoing(**more: object) -> Outgoing:
    usual = {
        "sender": "reports@example.org",
        "sender_name": "Rostra, the server",
        "recipient": "ada@example.org",
        "subject": "Sales – übersicht",
        "text": "As text: ü\n",
        "html": "<p>As <b>HTML</b>: ü <img src='cid:p@picture'></p>",
        "message_id": "<one@example.org>",
        "at": AT,
    }
    return Outgoing(**{**usual, **more})  # type: ignore[arg-type]


async def sent(there: MailServer, mail: Outgoing, **more: object) -> None:
    await Smtp(settings(there, **more)).send(built(mail), mail.sender, mail.recipient)


async def test_a_mail_arrives_encrypted_with_all_its_parts(there: MailServer) -> None:
    parts = [
        Part("p.png", b"\x89PNG", "image/png", "p@picture"),
        Part("data.csv", b"a,b\n1,2\n"),
        Part("ü.xyz", b"\0\1"),
    ]
    await sent(there, outgoing(parts=parts))
    (taken,) = there.taken
    message = taken.message
    assert taken.tls
    assert (taken.sender, taken.recipients) == ("reports@example.org", ["ada@example.org"])
    assert message["Subject"] == "Sales – übersicht"
    assert message["From"] == '"Rostra, the server" <reports@example.org>'
    assert message["Message-ID"] == "<one@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert taken.part("plain").strip() == "As text: ü"
    assert "<b>HTML</b>: ü" in taken.part("html")
    attached = {part.get_filename(): part for part in message.iter_attachments()}
    assert attached["data.csv"].get_content().replace("\r", "") == "a,b\n1,2\n"
    assert attached["ü.xyz"].get_content_type() == "application/octet-stream"
    related = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert (related["Content-ID"], related.get_payload(decode=True)) == ("<p@picture>", b"\x89PNG")


async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    with mail_server(tmp_path, port=free_port(), at_once=True) as there:
        await sent(there, outgoing(), ssl=True, user="")
        assert len(there.taken) == 1


async def test_a_certificate_nobody_vouches_for_is_refused(there: MailServer) -> None:
    with pytest.raises(NotTaken, match="certificate"):
        await sent(there, outgoing(), ca_file=None)
    assert there.taken == []


async def test_nothing_is_sent_without_tls_unless_it_is_switched_off(there: MailServer) -> None:
    with pytest.raises(NotTaken):
        await sent(there, outgoing(), start_tls="never", user="")
    assert there.taken == []


@pytest.mark.parametrize(
    ("answer", "for_ever", "why"),
    [
        ("550 not wanted", True, "the server will never take it"),
        ("451 later", False, "it may take it later"),
        ("421 busy", False, "and so here"),
    ],
)
async def test_refusals(there: MailServer, answer: str, for_ever: bool, why: str) -> None:
    there.answers.append(answer)
    with pytest.raises(NotTaken) as refused:
        await sent(there, outgoing())
    assert refused.value.for_ever is for_ever, why
    assert answer[4:] in refused.value.message


async def test_an_unknown_person_is_refused_for_ever(there: MailServer) -> None:
    with pytest.raises(NotTaken, match="no such person") as refused:
        await sent(there, outgoing(recipient="gone@example.org"))
    assert refused.value.for_ever


async def test_a_wrong_password_can_be_corrected(there: MailServer) -> None:
    with pytest.raises(NotTaken) as refused:
        await sent(there, outgoing(), password="wrong")
    assert not refused.value.for_ever
    assert "wrong" not in refused.value.message


async def test_nobody_listens(there: MailServer) -> None:
    with pytest.raises(NotTaken) as refused:
        await sent(there, outgoing(), port=free_port())
    assert not refused.value.for_ever
