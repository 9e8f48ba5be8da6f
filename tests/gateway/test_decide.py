from __future__ import annotations

import pytest

from rostra.gateway.decide import (
    MOST_REMEMBERED,
    STALE_SECONDS,
    BadDecision,
    Decision,
    Decisions,
    exchanged,
    read_decision,
)

KEY, COOKIE = (b"key", b"k"), (b"cookie", b"c")
POOL = {
    "to": "pool",
    "prefix": "/content/a/",
    "base": "/content/a/",
    "pool": "a",
    "item": "a",
    "user": None,
    "headers": [["RStudio-Connect-Credentials", "{}"]],
    "sticky": True,
    "ttl": 5,
}


def test_a_pool() -> None:
    decision = read_decision(POOL, now=10.0)
    assert (decision.until, decision.pool, decision.prefix) == (15.0, "a", b"/content/a/")
    assert decision.identity == b"RStudio-Connect-Credentials: {}\r\n"


def test_control_and_redirect() -> None:
    control = read_decision({"to": "control", "ttl": 1}, 0)
    assert (control.until, control.pool, control.redirect) == (1, "", b"")
    assert read_decision({"redirect": "/content/a/", "ttl": 1}, 0).redirect == b"/content/a/"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ttl": None}, "no time"),
        ({"to": "moon"}, "an unknown place"),
        ({"headers": ["x"]}, "headers that are no pairs"),
        ({"prefix": "content"}, "a prefix that is no path"),
        ({"base": "/a b"}, "a space would end the target"),
        ({"base": "/a\r\nX: y"}, "a line would end the head"),
        ({"pool": ...}, "no pool"),
    ],
)
def test_what_is_no_decision_is_said(change: dict[str, object], why: str) -> None:
    message = {name: value for name, value in {**POOL, **change}.items() if value is not ...}
    with pytest.raises(BadDecision):
        read_decision(message, 0)


def test_letters_outside_ascii_are_written_as_in_requests() -> None:
    moved = read_decision({"redirect": "/ventes-été/", "ttl": 1}, 0)
    assert moved.redirect == b"/ventes-%C3%A9t%C3%A9/"


def test_a_decision_is_fresh_for_its_time_and_then_stale_for_ten_minutes() -> None:
    table = Decisions()
    table.remember(KEY, b"/content/a/", Decision(until=5))
    assert table.fresh(KEY, b"/content/a/", 4.9)
    assert table.fresh(KEY, b"/content/a/", 5.0) is None
    assert table.stale(KEY, b"/content/a/", 5 + STALE_SECONDS - 1)
    assert table.stale(KEY, b"/content/a/", 5 + STALE_SECONDS) is None
    table.forget_expired(5 + STALE_SECONDS)
    assert len(table) == 0


def test_credentials_do_not_share_decisions() -> None:
    table = Decisions()
    table.remember(KEY, b"/content/a/", Decision(until=5))
    assert table.fresh(COOKIE, b"/content/a/", 0) is None
    assert table.fresh((b"cookie", b"k"), b"/content/a/", 0) is None


FORGET = [
    (None, None, set(), "everything"),
    (b"/content/a/", None, {"b key", "b cookie", "sales"}, "an item, its draft, and its path without the slash"),
    (None, b"k", {"a cookie", "b cookie", "a draft"}, "a credential"),
    (b"/content/a/", b"c", {"a key", "b key", "b cookie", "sales", "a bare"}, "one of them there"),
    (b"/sales/", None, {"a key", "a cookie", "a draft", "a bare", "b key", "b cookie"}, "a vanity path"),
]


@pytest.mark.parametrize(("prefix", "credential", "left", "why"), FORGET)
def test_forget_table(prefix: bytes | None, credential: bytes | None, left: set[str], why: str) -> None:
    rows = {
        "a key": (KEY, b"/content/a/"),
        "a cookie": (COOKIE, b"/content/a/"),
        "a draft": (COOKIE, b"/content/a/_bundle1/"),
        "a bare": (KEY, b"/content/a"),
        "b key": (KEY, b"/content/b/"),
        "b cookie": (COOKIE, b"/content/b/"),
        "sales": (KEY, b"/sales/"),
    }
    table = Decisions()
    for who, asked in rows.values():
        table.remember(who, asked, Decision(until=5))
    table.forget(prefix, credential)
    assert {name for name, key in rows.items() if table.fresh(*key, 0)} == left, why


def test_made_up_credentials_cannot_fill_memory() -> None:
    table = Decisions()
    for number in range(MOST_REMEMBERED + 10):
        table.remember((b"key", b"%d" % number), b"/content/a/", Decision(until=5))
    assert len(table) <= MOST_REMEMBERED
    assert table.fresh((b"key", b"%d" % (MOST_REMEMBERED + 9)), b"/content/a/", 0)


@pytest.mark.parametrize(
    ("target", "prefix", "base", "expected", "why"),
    [
        (b"/content/a/x?y", b"/content/a/", b"/content/a/", b"/content/a/x?y", "as it is"),
        (b"/sales/%2e/x?/sales/", b"/sales/", b"/content/a/", b"/content/a/%2e/x?/sales/", "only the prefix"),
        (b"/content/a/_bundle1/x", b"/content/a/_bundle1/", b"/content/a/", b"/content/a/x", "a draft under its item"),
        (b"/content/a", b"/content/a/", b"/content/a/", None, "not below the prefix"),
    ],
)
def test_exchange_table(target: bytes, prefix: bytes, base: bytes, expected: bytes | None, why: str) -> None:
    assert exchanged(target, Decision(until=0, pool="a", prefix=prefix, base=base)) == expected, why


@pytest.mark.parametrize("prefix", [b"/sales/", b"/content/1/"])
def test_a_process_that_knows_no_base_path_gets_the_rest_of_the_path(prefix: bytes) -> None:
    decision = Decision(until=0, pool="a", prefix=prefix, base=b"/content/1/", stripped=True)
    assert exchanged(prefix + b"websocket/?x=1", decision) == b"/websocket/?x=1"
    assert exchanged(b"/elsewhere/", decision) is None
