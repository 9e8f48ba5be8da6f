"""How mail leaves the server besides SMTP."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rostra.config.sections import Server, Settings, Smtp
from rostra.mail import smtp
from rostra.mail.message import Outgoing, Part, built
from rostra.mail.transport import Filing, Printing, chosen

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("provider", "way"), [("none", type(None)), ("print", Printing), ("file", Filing), ("smtp", smtp.Smtp)]
)
def test_the_setting_chooses(tmp_path: Path, provider: str, way: type) -> None:
    server = Server(data_dir=tmp_path, email_provider=provider)
    assert type(chosen(Settings(server=server, smtp=Smtp(host="127.0.0.1")))) is way


async def test_what_is_printed_says_who_would_have_got_what() -> None:
    mail = Outgoing(
        sender="reports@example.org",
        sender_name="Rostra",
        recipient="ada@example.org",
        subject="Sales – übersicht",
        text="The link: http://127.0.0.1/x\n",
        html="<p>long</p>",
        parts=[Part("data.csv", b"a,b\n")],
        message_id="<one@example.org>",
        at=dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC),
    )
    with capture_logs() as lines:
        await Printing().send(built(mail), mail.sender, mail.recipient)
    (line,) = lines
    assert (line["sender"], line["to"], line["subject"]) == (
        "reports@example.org", "ada@example.org", "Sales – übersicht",
    )  # fmt: skip
    assert "The link: http://127.0.0.1/x" in line["text"]
    assert line["attachments"] == ["data.csv"]
