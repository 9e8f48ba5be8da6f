from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.gateway import cookies


@pytest.mark.parametrize(
    ("sent", "kept", "why"),
    [
        (b"a=1", b"a=1", "nothing of ours"),
        (b"rsconnect=s", b"", "only ours"),
        (b"a=1; rsconnect=s; b=2", b"a=1; b=2", "ours in the middle"),
        (b"rsconnect=s; a=1", b"a=1", "ours first"),
        (b"a=1;rsconnect-legacy=s", b"a=1", "without the space"),
        (b"RSC-XSRF=x; a=1", b"a=1", "the token against forgery"),
        (b"rostra-process=k; rostra-anything=x; a=1", b"a=1", "all of our own family"),
        (b"RSConnect=s; a=1", b"a=1", "in any case: some servers fold it"),
        (b"xrsconnect=s; rsconnectx=t", b"xrsconnect=s; rsconnectx=t", "other names that contain ours"),
        (b'a="x; y"; b==; c', b'a="x; y"; b==; c', "odd but kept byte for byte"),
        (b'rostra-x=1; a="\xff"', b'a="\xff"', "bytes that are no text"),
        (b" rsconnect =s; a=1", b"a=1", "spaces around the name"),
    ],
)
def test_without_own_table(sent: bytes, kept: bytes, why: str) -> None:
    assert cookies.without_own(sent) == kept, why


@given(
    st.lists(st.sampled_from([b"rsconnect=secret", b"rostra-x=secret", b"RSC-XSRF=secret", b"a=1", b"b", b"", b" "]))
)
def test_nothing_of_ours_is_left(parts: list[bytes]) -> None:
    left = cookies.without_own(b";".join(parts))
    assert b"secret" not in left
    assert left.count(b"a=1") == parts.count(b"a=1")


@pytest.mark.parametrize(
    ("set_cookie", "allowed", "why"),
    [
        (b"session=x; Path=/", True, "content's own"),
        (b"rsconnect=x", False, "would replace who the visitor is"),
        (b"rsconnect-legacy=x; Path=/", False, "the other name of it"),
        (b"RSC-XSRF=x", False, "would defeat the token"),
        (b"rostra-process=x", False, "would choose the process"),
        (b" rsconnect =x", False, "browsers trim"),
        (b"Rsconnect=x", False, "some readers fold case"),
        (b"=rsconnect=x", False, "nameless: comes back as rsconnect=x"),
        (b"rsconnect", False, "nameless: comes back as rsconnect"),
        (b"; rsconnect=x", False, "an empty name"),
    ],
)
def test_set_cookie_table(set_cookie: bytes, allowed: bool, why: str) -> None:
    assert cookies.may_be_set_by_content(set_cookie) is allowed, why


def test_values_are_in_order_and_names_exact() -> None:
    assert cookies.values(b'a=1; A=2; a="3"; ba=4', b"a") == [b"1", b"3"]
