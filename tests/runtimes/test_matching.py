from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from support.offers import offer

from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.matching import choose
from rostra.runtimes.model import Policy, Request, RuntimeState


def request(version: str = "", requires: str = "") -> Request:
    return Request(Version(version) if version else None, SpecifierSet(requires) if requires else None)


@pytest.mark.parametrize(
    ("policy", "wanted", "installed", "expected", "reason"),
    [
        ("major-minor", "3.9.6", "3.9.4 3.9.6 3.9.9", "3.9.6", "Chose exact match"),
        ("major-minor", "3.9.3", "3.9.1 3.9.5 3.9.6", "3.9.5", "Chose lowest 3.9.X release after 3.9.3"),
        (
            "major-minor",
            "3.8.10",
            "3.8.4 3.8.9 3.9.2",
            "3.8.9",
            "Chose the latest 3.8.X release since all are before 3.8.10",
        ),
        ("major-minor", "3.10.0", "3.10.1", "3.10.1", "Chose lowest 3.10.X release after 3.10.0"),
        ("major-minor", "3.10.0", "3.9.7", None, ""),
        ("exact", "3.9.6", "3.9.6 3.9.7", "3.9.6", "Chose exact match"),
        ("exact", "3.9.6", "3.9.4 3.9.7", None, ""),
    ],
)
def test_the_documented_examples(policy: str, wanted: str, installed: str, expected: str | None, reason: str) -> None:
    if expected is None:
        with pytest.raises(NoMatchingPython):
            choose(request(wanted), Policy(policy), offer(installed))
    else:
        found = choose(request(wanted), Policy(policy), offer(installed))
        assert (str(found.runtime.version), found.reason) == (expected, reason)


MM, EX, NE = Policy.major_minor, Policy.exact, Policy.nearest


@pytest.mark.parametrize(
    ("policy", "wanted", "requires", "installed", "expected", "why"),
    [
        # versions
        (MM, "3.9.9", "", "3.9.10 3.9.11", "3.9.10", "numbers, not letters, are compared"),
        (MM, "3.9.6", "", "4.9.6 3.10.6", None, "major and minor both count"),
        (MM, "3.9", "", "3.9.1 3.9.7", "3.9.7", "no patch named: the latest"),
        (EX, "3.9", "", "3.9.1 3.9.7", None, "exact means 3.9.0, which is not there"),
        (EX, "3.9", "", "3.9.0", "3.9.0", "3.9 and 3.9.0 are one version"),
        (MM, "3", "", "3.8.1 3.12.1 2.7.18", "3.12.1", "no minor named: the latest of the major"),
        (MM, "3.9.6+local", "", "3.9.6 3.9.7", "3.9.6", "a vendor's mark is no other release"),
        # nearest
        (NE, "3.9.6", "", "3.9.6 3.9.7", "3.9.6", "exact first"),
        (NE, "3.9.6", "", "3.9.4 3.9.8 3.10.1", "3.9.8", "then as major-minor"),
        (NE, "3.10.2", "", "3.9.1 3.9.7 3.12.1", "3.9.7", "one minor away beats two"),
        (NE, "3.10.2", "", "3.9.7 3.11.1 3.11.5", "3.11.1", "on a tie the newer side, its lowest release"),
        (NE, "3.10.2", "", "2.7.18", None, "never another major"),
        # ranges
        (MM, "", ">=3.9,<3.12", "3.8.1 3.9.1 3.11.4 3.12.0", "3.11.4", "the newest inside"),
        (MM, "3.9.6", ">=3.9", "3.9.6 3.13.0", "3.9.6", "the author's own version when inside"),
        (MM, "3.9.3", ">=3.9", "3.9.1 3.9.5 3.9.6 3.13.0", "3.9.5", "else its series by the major-minor rule"),
        (MM, "3.8.3", ">=3.9", "3.8.3 3.9.5 3.11.1", "3.11.1", "the range decides, also against the version"),
        (MM, "3.9.3", ">=3.9.6", "3.9.5 3.9.6 3.9.9", "3.9.6", "the series is cut by the range"),
        (MM, "3.9.9", "<3.9.9", "3.9.1 3.9.7", "3.9.7", "the latest before, inside"),
        (EX, "3.9.6", ">=3.9", "3.9.6 3.9.9", "3.9.6", "exact inside"),
        (EX, "3.9.6", "~=3.9.0", "3.9.4 3.9.9", "3.9.9", "a range is what the author allows, also with exact"),
        (EX, "3.9.6", ">=3.10", "3.9.6 3.11.1", "3.11.1", "a version outside its own range does not count"),
        (NE, "3.10.1", ">=3.8", "3.9.1 3.13.0", "3.13.0", "a range is answered the same way by every policy"),
        (MM, "", "==3.9.*", "3.9.1 3.9.7 3.10.0", "3.9.7", "a wildcard, as clients write 3.9.*"),
        (MM, "", "~=3.0", "2.7.18 3.9.1 3.13.0 4.0.0", "3.13.0", "as clients write a bare 3"),
        (
            EX,
            "3.9.6",
            "~=3.9.0",
            "3.9.6 3.9.9 3.10.1",
            "3.9.6",
            "as clients write 3.9 or 3.9.6: the author's own inside",
        ),
        (MM, "3.10.4", "~=3.10.0", "3.9.7 3.11.1", None, "and never another MINOR"),
        (MM, "", "!=3.11.*", "3.10.1 3.11.4", "3.10.1", "an exclusion"),
        (MM, "", ">=3.14", "3.13.0", None, "nothing inside"),
        # nothing asked
        (MM, "", "", "3.8.1 3.13.0 3.9.1", "3.13.0", "the newest"),
        (EX, "", "", "3.8.1 3.13.0", "3.13.0", "the newest whatever the policy"),
        (MM, "", "", "", None, "nothing there"),
        # pre-releases
        (MM, "", "", "3.13.0 3.14.0rc1", "3.13.0", "not unless asked"),
        (MM, "", "", "3.14.0rc1", "3.14.0rc1", "better than nothing"),
        (MM, "3.14.0", "", "3.14.0rc1", "3.14.0rc1", "nothing else of the series"),
        (MM, "3.14.0rc1", "", "3.14.0rc1 3.14.0", "3.14.0rc1", "asked for"),
        (MM, "3.14.0rc1", "", "3.14.0b2 3.14.1", "3.14.1", "the release after a candidate"),
        (MM, "", ">=3.14.0rc1", "3.14.0rc2 3.13.0", "3.14.0rc2", "a range that names one asks for it"),
        (MM, "", ">=3.12", "3.12.1 3.14.0rc2", "3.12.1", "a range that does not prefers releases"),
        (MM, "", "<3.14", "3.14.0rc1", None, "a candidate of the excluded release is excluded"),
        # states
        (MM, "3.9.6", "", "3.9.6:d 3.9.9", "3.9.9", "an active one that fits goes before a deprecated exact match"),
        (MM, "3.9.6", "", "3.9.6:d 3.10.1", "3.9.6", "deprecated when nothing else fits"),
        (EX, "3.9.6", "", "3.9.6:d 3.9.9", "3.9.6", "with exact nothing else fits"),
        (MM, "3.9.6", "", "3.9.6:r 3.9.1", "3.9.1", "retired never"),
        (MM, "3.9.6", "", "3.9.6:r", None, "not even alone"),
        (MM, "", "", "3.13.0:d 3.9.1", "3.9.1", "the newest active"),
        (MM, "", ">=3.10", "3.9.1 3.10.1:d", "3.10.1", "a range may need a deprecated one"),
        (MM, "", "", "3.13.0:d 3.14.0rc1", "3.13.0", "deprecated goes before an unasked pre-release"),
        (NE, "3.9.6", "", "3.9.6:d 3.10.1", "3.10.1", "nearest finds an active one"),
    ],
)
def test_the_edge_cases(
    policy: Policy, wanted: str, requires: str, installed: str, expected: str | None, why: str
) -> None:
    try:
        found: str | None = str(choose(request(wanted, requires), policy, offer(installed)).runtime.version)
    except NoMatchingPython:
        found = None
    assert found == expected, why


@pytest.mark.parametrize(
    ("policy", "wanted", "requires", "installed", "reason"),
    [
        (MM, "3.9", "", "3.9.7", "Chose the latest 3.9.X release since no patch release was asked for"),
        (NE, "3.10.2", "", "3.9.7", "Chose the nearest 3.X release since there is no 3.10.X"),
        (MM, "", "<3.12,>=3.9", "3.9.7", "Chose the newest release within >=3.9,<3.12"),
        (MM, "3.9.3", ">=3.9", "3.9.7", "Chose lowest 3.9.X release after 3.9.3, within >=3.9"),
        (MM, "", "", "3.9.7", "Chose the newest release since no version was asked for"),
    ],
)
def test_reasons(policy: Policy, wanted: str, requires: str, installed: str, reason: str) -> None:
    assert choose(request(wanted, requires), policy, offer(installed)).reason == reason


@pytest.mark.parametrize(
    ("wanted", "installed", "words"),
    [
        ("3.9.6", "3.9.6:d", ["deprecated"]),
        ("3.14.0", "3.14.0rc1", ["pre-release"]),
        ("3.14.0", "3.14.0rc1:d", ["deprecated", "pre-release"]),
        ("3.14.0rc1", "3.14.0rc1", []),
        ("3.9.6", "3.9.6", []),
    ],
)
def test_warnings(wanted: str, installed: str, words: list[str]) -> None:
    warnings = choose(request(wanted), MM, offer(installed)).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_failure_is_said_in_the_words_clients_know() -> None:
    with pytest.raises(NoMatchingPython) as caught:
        choose(request("3.9.5"), MM, offer("3.8.10 3.11.7:d"))
    expected = "Cannot find compatible environment: no compatible Local environment with Python version 3.9.5"
    assert caught.value.message == expected
    assert "Python 3.8.10, 3.11.7 (deprecated)" in caught.value.hint


def test_failure_of_a_range_names_the_range() -> None:
    with pytest.raises(NoMatchingPython) as caught:
        choose(request("3.9.5", ">=3.12"), MM, [])
    assert caught.value.message.endswith("with Python version satisfying >=3.12")
    assert "no Python" in caught.value.hint


def test_of_equal_versions_cpython_goes_first() -> None:
    (cpython,) = offer("3.10.1")
    pypy = dataclasses.replace(cpython, implementation="pypy", executable=Path("/a/pypy3"))
    assert choose(request("3.10.1"), MM, [pypy, cpython]).runtime == cpython


versions = st.builds(
    lambda major, minor, patch, tail: f"{major}.{minor}.{patch}{tail}",
    st.sampled_from([2, 3, 3, 3]),
    st.integers(7, 12),
    st.integers(0, 12),
    st.sampled_from(["", "", "", "rc1", "b2"]),
)
marks = st.sampled_from(["", "", ":d", ":r"])
offers = st.lists(st.builds(str.__add__, versions, marks), max_size=8).map(lambda words: offer(" ".join(words)))
ranges = st.one_of(
    st.just(None),
    st.lists(st.builds(str.__add__, st.sampled_from([">=", "<", "!=", "=="]), versions), min_size=1, max_size=2).map(
        lambda parts: SpecifierSet(",".join(parts))
    ),
)
requests = st.builds(Request, st.one_of(st.none(), versions.map(Version)), ranges)
policies = st.sampled_from(list(Policy))


def outcome(asked: Request, policy: Policy, installed: list) -> object:
    try:
        return choose(asked, policy, installed)
    except NoMatchingPython as none:
        return none.message


@given(requests, policies, offers)
def test_the_answer_is_installed_fits_and_has_a_reason(asked: Request, policy: Policy, installed: list) -> None:
    try:
        found = choose(asked, policy, installed)
    except NoMatchingPython:
        return
    assert found.runtime in installed
    assert found.runtime.state is not RuntimeState.retired
    assert found.reason.startswith("Chose ")
    if asked.requires:
        assert asked.requires.contains(found.runtime.version, prereleases=True)


@given(requests, policies, offers, st.randoms())
def test_the_order_of_the_installed_makes_no_difference(
    asked: Request, policy: Policy, installed: list, random
) -> None:
    shuffled = list(installed)
    random.shuffle(shuffled)
    assert outcome(asked, policy, shuffled) == outcome(asked, policy, installed)


@given(versions, policies, offers)
def test_an_active_exact_match_always_wins(wanted: str, policy: Policy, installed: list) -> None:
    found = choose(request(wanted), policy, [*installed, *offer(wanted)])
    assert found.runtime.version == Version(wanted)
    assert found.reason == "Chose exact match"


@given(requests, policies, offers)
def test_agrees_with_the_rule_written_out(asked: Request, policy: Policy, installed: list) -> None:
    found = outcome(asked, policy, installed)
    expected = written_out(asked, policy, installed)
    assert (None if isinstance(found, str) else found.runtime.version) == expected  # type: ignore[attr-defined]


def written_out(asked: Request, policy: Policy, installed: list) -> Version | None:
    """The rule as docs/explanation/matching.md tells it, by ranking every candidate."""
    named = asked.requires.prereleases if asked.requires else asked.version and asked.version.is_prerelease
    ranked = []
    for each in installed:
        version = each.version
        if each.state is RuntimeState.retired or not fits(asked, policy, version, installed):
            continue
        last_resort = (version.is_prerelease and not named, each.state is RuntimeState.deprecated)
        ranked.append((last_resort, closeness(asked, version), version))
    return min(ranked)[2] if ranked else None


def fits(asked: Request, policy: Policy, version: Version, installed: list) -> bool:
    if asked.requires:
        return asked.requires.contains(version, prereleases=True)
    if asked.version is None:
        return True
    depth = {Policy.exact: 3, Policy.major_minor: 2, Policy.nearest: 1}[policy]
    same = version.release[:depth] == asked.version.release[:depth]
    return same and (policy is not Policy.exact or version == asked.version)


def closeness(asked: Request, version: Version) -> tuple[object, ...]:
    """Smaller is closer: same series first (exact, after ascending, before descending), then by distance or newest."""
    steps = (-version.major, -version.minor, -version.micro, *newest_first(version))
    wanted = asked.version
    if wanted is None:
        return (1, *steps)
    up = tuple(-step for step in steps)
    if version.release[:2] == wanted.release[:2]:
        return (0, 0 if version == wanted else 1, 0, *up) if version >= wanted else (0, 2, 0, *steps)
    if asked.requires:
        return (1, *steps)
    distance = version.minor - wanted.minor
    return (1, abs(distance), 0, *up) if distance > 0 else (1, abs(distance), 1, *steps)


def newest_first(version: Version) -> tuple[int, ...]:
    """Order pre-releases of one release the way -MAJOR.MINOR.PATCH is ordered."""
    stage = {"a": 0, "b": 1, "rc": 2}
    return (-stage[version.pre[0]], -version.pre[1]) if version.pre else (-3, 0)
