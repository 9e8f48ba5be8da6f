from __future__ import annotations

import pytest

from rostra.rehearsal.frameworks.streamlit import field_of


@pytest.mark.parametrize(
    ("message", "value", "why"),
    [
        (b"\x30\x00", 0, "alone"),
        (b"\x30\x01", 1, "with a value"),
        (b"\x0a\x02ab\x30\x80\x01", 128, "after a string, in two bytes"),
        (b"\x09" + b"x" * 8 + b"\x0d" + b"x" * 4 + b"\x30\x02", 2, "after fixed sizes"),
        (b"\x0a\x02ab", None, "not there"),
        (b"", None, "nothing"),
    ],
)
def test_fields_of_a_message(message: bytes, value: int | None, why: str) -> None:
    assert field_of(message, 6) == value, why


@pytest.mark.parametrize("message", [b"\x30", b"\x30" + b"\xff" * 11, b"\x33", b"\xff"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"message|wire"):
        field_of(message, 6)
