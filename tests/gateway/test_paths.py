from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.gateway.paths import Vanities, prefix_of, strip_prefix, vanities

KNOWN = vanities(["/sales/", "/team/reports/", "/team/", "ventes-été"])


@pytest.mark.parametrize(
    ("path", "expected", "why"),
    [
        (b"/content/0a1b-2c/", b"/content/0a1b-2c/", "an item"),
        (b"/content/0a1b-2c/a/b.js", b"/content/0a1b-2c/", "below an item"),
        (b"/content/0a1b-2c", b"/content/0a1b-2c", "the slash is missing: control redirects"),
        (b"/content/0a1b/_bundle7/x", b"/content/0a1b/_bundle7/", "a draft is decided about apart from the item"),
        (b"/content/0a1b/_bundle7", b"/content/0a1b/_bundle7", "a draft without its slash"),
        (b"/content/0a1b/_bundle7x/", b"/content/0a1b/", "not a draft: the item's own path"),
        (b"/content/0a1b/../other/", b"/content/0a1b/", "carried raw to the item it names first, and to no other"),
        (b"/content/0a1b//x", b"/content/0a1b/", "an empty segment behind the prefix is the item's own business"),
        (b"/content/../__api__/x", None, "dots are no item"),
        (b"/content/./0a1b/", None, "dots are no item"),
        (b"/content/%2e%2e/x", None, "nor are encoded dots"),
        (b"/content/%30a1b/", None, "nothing is decoded"),
        (b"//content/0a1b/", None, "an empty segment before"),
        (b"/content//0a1b/", None, "an empty segment within"),
        (b"/Content/0a1b/", None, "case matters"),
        (b"/content", None, "no item named"),
        (b"/content/", None, "no item named"),
        (b"/contents/0a1b/", None, "another word"),
        (b"/content/0a1b;x/", None, "not the characters of an identifier"),
        (b"/content/" + b"a" * 65 + b"/", None, "longer than any identifier"),
        (b"/sales/", b"/sales/", "a vanity path"),
        (b"/sales/x", b"/sales/", "below a vanity path"),
        (b"/sales", b"/sales", "the slash is missing"),
        (b"/salesx/", None, "another word"),
        (b"/team/reports/x", b"/team/reports/", "the longest one wins"),
        (b"/team/reports", b"/team/reports", "also without its slash"),
        (b"/team/other", b"/team/", "the shorter one has the rest"),
        (b"/team/../sales/", b"/team/", "literally below the first"),
        (b"/x/sales/", None, "vanity paths begin at the root"),
        (b"/%73ales/", None, "nothing is decoded"),
        (b"/ventes-%C3%A9t%C3%A9/x", b"/ventes-%C3%A9t%C3%A9/", "as browsers write it"),
        (b"/content/0a1b/__thumbnail__", None, "the picture of an item is not the item's business"),
        (b"/sales/__thumbnail__", None, "nor below its vanity path"),
        (b"/content/0a1b/__thumbnail__/x", b"/content/0a1b/", "another path"),
        (b"/content/0a1b/x/__thumbnail__", b"/content/0a1b/", "another path"),
        (b"/__api__/v1/content", None, "the API"),
        (b"/", None, "the front page"),
        (b"*", None, "about the server itself"),
    ],
)
def test_prefix_table(path: bytes, expected: bytes | None, why: str) -> None:
    assert prefix_of(path, KNOWN) == expected, why


def test_vanity_paths_cannot_take_what_is_the_servers_own() -> None:
    assert vanities(["/", "/__api__/", "/content/x/"]) == Vanities()


@given(st.binary(max_size=40), st.sampled_from([b"/content/", b"/sales/", b"/", b"/team/"]))
def test_a_prefix_is_the_beginning_of_its_path_and_has_no_dots(tail: bytes, start: bytes) -> None:
    path = start + tail
    found = prefix_of(path, KNOWN)
    if found is not None:
        assert path.startswith(found)
        assert not any(part in {b".", b".."} for part in found.split(b"/"))


@pytest.mark.parametrize(
    ("target", "expected", "why"),
    [
        (b"/rsc/content/x/?a", (b"/content/x/?a", True), "below the prefix"),
        (b"/rsc", (b"/", True), "the prefix itself"),
        (b"/rsc?a", (b"/?a", True), "the prefix itself, with a query"),
        (b"/rsc/", (b"/", True), "the prefix itself, with its slash"),
        (b"/rscx/", (b"/rscx/", False), "another word"),
        (b"/content/x/", (b"/content/x/", False), "a proxy took the prefix away"),
    ],
)
def test_strip_prefix_table(target: bytes, expected: tuple[bytes, bool], why: str) -> None:
    assert strip_prefix(target, b"/rsc") == expected, why
