"""Which interpreter an item would get."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.rehearsal.target import AUTO, NotARange, NothingRetired, Wish, target, wish
from rostra.runtimes.model import Policy, Request, Runtime, RuntimeState

ALL = ("3.8.18", "3.9.18", "3.11.7", "3.12.1", "3.13.0")


def runtime(version: str, state: RuntimeState = RuntimeState.active) -> Runtime:
    path = Path(f"/opt/python/{version}/bin/python3")
    return Runtime(version=Version(version), executable=path, target=path, state=state)


def request(version: str = "", requires: str = "") -> Request:
    return Request(Version(version) if version else None, SpecifierSet(requires) if requires else None)


@pytest.mark.parametrize(
    ("asked", "onto", "policy", "have", "to", "why"),
    [
        (request("3.8.10"), AUTO, "major-minor", ALL, "3.9.18", "the rule gives nothing: the nearest newer one"),
        (request("3.8.10"), AUTO, "nearest", ALL, "3.9.18", "the rule itself gives the nearest"),
        (request("3.8.10", ">=3.8"), AUTO, "major-minor", ALL, "3.13.0", "the range allows the newest"),
        (request("3.8.10", ">=3.8,<3.12"), AUTO, "major-minor", ALL, "3.11.7", "the newest within the range"),
        (request(), AUTO, "major-minor", ALL, "3.13.0", "no version asked for: the newest"),
        (request("3.8.10"), "3.12", "major-minor", ALL, "3.12.1", "where it was told to go"),
        (request("3.8.10"), ">=3.11,<3.13", "major-minor", ALL, "3.12.1", "the newest of what it was told"),
        (request("3.8.10"), AUTO, "major-minor", ("3.8.18", "3.8.19"), "", "the other patch release goes as well"),
        (request("3.8.10"), AUTO, "major-minor", ("3.7.16", "3.8.18"), "", "an older one is no place to go"),
        (request("3.8.10"), "3.14", "major-minor", ALL, "", "it is not here"),
        (request("3.8.10", "<3.9"), AUTO, "major-minor", ALL, "3.9.18", "named, but forbidden"),
        (request("3.8.10", "<3.9"), "3.12", "major-minor", ALL, "3.12.1", "named, but forbidden"),
    ],
)
def test_where_an_item_goes(asked: Request, onto: str, policy: str, have: tuple[str, ...], to: str, why: str) -> None:
    found = target(asked, Policy(policy), Version("3.8.18"), [runtime(v) for v in have], wish(["3.8"], onto))
    assert found.to == to, why
    forbidden = not to or (asked.requires is not None and not asked.requires.contains(to))
    assert bool(found.forbidden) == forbidden, why
    assert bool(found.reason) != forbidden


def test_only_a_patch_release_is_retired() -> None:
    have = [runtime("3.8.17"), runtime("3.8.18"), runtime("3.13.0")]
    found = target(request("3.8.17"), Policy.major_minor, Version("3.8.17"), have, wish(["3.8.17"], AUTO))
    assert found.to == "3.8.18"


def test_active_ones_are_preferred() -> None:
    have = [runtime("3.8.18"), runtime("3.9.18", RuntimeState.deprecated), runtime("3.13.0")]
    assert target(request("3.8.1"), Policy.major_minor, Version("3.8.18"), have, wish(["3.8"], AUTO)).to == "3.13.0"


def test_a_range_is_said() -> None:
    found = target(
        request(requires="<3.9"), Policy.major_minor, Version("3.8.18"), [runtime("3.9.18")], wish(["3.8"], "")
    )
    assert found.forbidden == "its own range <3.9 does not allow Python 3.9.18"


@given(st.lists(st.sampled_from(ALL), unique=True), st.sampled_from(["3.8", "<3.11", "3.8.18", ">=3.9,<3.12"]),
       st.sampled_from([AUTO, "3.12", "3.9"]))  # fmt: skip
def test_nothing_goes_where_it_would_be_retired_again(have: list[str], retire: str, onto: str) -> None:
    asked = wish([retire], onto)
    found = target(request("3.8.1"), Policy.major_minor, Version("3.8.18"), [runtime(v) for v in have], asked)
    if found.to and not found.forbidden:
        assert found.to in have
        assert not asked.retires(found.to)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["3.8"], ("3.8",)),
        (["3.8,3.9"], ("3.8", "3.9")),
        (["3.8", "3.9.1"], ("3.8", "3.9.1")),
        ([">=3.8,<3.10"], (">=3.8,<3.10",)),
    ],
)
def test_what_is_to_be_retired_is_read(given_: list[str], expected: tuple[str, ...]) -> None:
    assert wish(given_, "") == Wish(expected, AUTO)


def test_nonsense_is_refused() -> None:
    with pytest.raises(NotARange, match="old one"):
        wish(["old one"], AUTO)
    with pytest.raises(NotARange, match="newest"):
        wish(["3.8"], "newest")
    with pytest.raises(NothingRetired):
        wish([" "], AUTO)
