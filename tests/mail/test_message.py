"""Messages are built from hostile text without becoming other messages."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.mail.message import BadAddress, Outgoing, built, check_address, header


def outgoing(subject: str = "s", text: str = "t", html: str = "h", name: str = "n") -> Outgoing:
    return Outgoing(
        sender="a@b.org", sender_name=name, recipient="c@d.org", subject=subject, text=text, html=html,
        message_id="<m@b.org>", at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_adds_a_header_or_a_recipient(subject: str, text: str, html: str, name: str) -> None:
    message = built(outgoing(subject, text, html, name))
    assert len(message.as_bytes()) > 0
    assert sorted(message.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert message["To"] == "c@d.org"


def test_a_subject_is_one_line() -> None:
    assert header("a\r\nBcc: x@y.org\u2028b") == "a Bcc: x@y.org b"


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@b", "a b@c.org", "a@b.org\r\nBcc: x@y", "a@b.org,c@d.org", "<a@b.org>", "a@b..org", "ü@b.org"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadAddress):
        check_address(address)


def test_an_address_loses_the_spaces_around_it() -> None:
    assert check_address(" ada.l+x@mail.example.org ") == "ada.l+x@mail.example.org"
