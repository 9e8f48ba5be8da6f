from __future__ import annotations

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.runtimes.model import Policy, Runtime
from rostra.runtimes.r_matching import NoMatchingQuarto, NoMatchingR, choose_quarto, choose_r
from rostra.runtimes.r_model import QuartoInstallation, RInstallation


def r(version: str) -> RInstallation:
    path = Path(f"/opt/R/{version}/bin/R")
    runtime = Runtime(version=Version(version), executable=path, target=path, implementation="r")
    return RInstallation(runtime=runtime, home=path.parents[1], libraries=(), packages={})


@pytest.mark.parametrize(
    ("wanted", "policy", "installed", "chosen", "why"),
    [
        ("4.2.2", "nearest", "4.1.3 4.2.2 4.3.0", "4.2.2", "exactly that"),
        ("4.2.1", "nearest", "4.2.0 4.2.2 4.2.3", "4.2.2", "the lowest patch after"),
        ("4.0.5", "nearest", "3.6.3 4.2.2", "4.2.2", "the same MAJOR before another one"),
        ("3.6.3", "nearest", "4.1.0 4.2.2", "4.1.0", "another MAJOR when there is nothing else: the oldest newer one"),
        ("5.0.0", "nearest", "4.1.0 4.2.2", "4.2.2", "nothing newer: the newest"),
        (None, "exact", "4.1.0 4.2.2", "4.2.2", "nothing asked for: the newest"),
        ("4.2.9", "major-minor", "4.2.2 4.3.0", "4.2.2", "the latest of the same series"),
    ],
)
def test_which_r_is_chosen(wanted: str | None, policy: str, installed: str, chosen: str, why: str) -> None:
    found = choose_r(Version(wanted) if wanted else None, Policy(policy), [r(each) for each in installed.split()])
    assert (str(found.r.version), bool(found.reason)) == (chosen, True), why


def test_another_major_version_is_a_warning() -> None:
    found = choose_r(Version("3.6.3"), Policy.nearest, [r("4.2.2")])
    assert found.warnings == ("R 4.2.2 is another major version than 3.6.3, for which this was written",)


@pytest.mark.parametrize(("policy", "installed"), [("exact", "4.2.1"), ("major-minor", "4.1.3"), ("nearest", "")])
def test_nothing_fits(policy: str, installed: str) -> None:
    with pytest.raises(NoMatchingR) as caught:
        choose_r(Version("4.2.2"), Policy(policy), [r(each) for each in installed.split()])
    assert caught.value.message.endswith("no compatible Local environment with R version 4.2.2")
    assert (f"R {installed}" if installed else "no R") in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("1.4.0", "1.4.5"), ("1.3.1", "1.3.9"), ("1.9.9", "1.4.5"), (None, "1.4.5"), ("0.1", "1.3.9")],
)
def test_which_quarto_is_chosen(wanted: str | None, chosen: str) -> None:
    there = [QuartoInstallation(version=Version(each), executable=Path("/q")) for each in ("1.4.5", "1.3.9")]
    found = choose_quarto(Version(wanted) if wanted else None, there)
    assert found is not None
    assert str(found.version) == chosen


def test_no_quarto_at_all() -> None:
    assert choose_quarto(Version("1.4"), []) is None


@pytest.mark.parametrize(
    ("wanted", "requires", "policy", "installed", "chosen", "why"),
    [
        ("4.2.1", ">=4.1", "nearest", "4.1.3 4.2.2 4.3.0", "4.2.2", "the author's series when it is inside"),
        ("4.0.5", ">=4.1", "nearest", "4.0.5 4.1.3 4.3.0", "4.3.0", "else the newest inside"),
        ("4.2.1", "~=4.1.0", "exact", "4.1.3 4.2.1", "4.1.3", "the range decides whatever the policy"),
        (None, ">=4.1,<4.3", "major-minor", "4.1.3 4.2.2 4.3.0", "4.2.2", "without a version too"),
        ("3.6.3", "<4", "nearest", "4.2.2", None, "another MAJOR is not near when a range leaves it out"),
    ],
)
def test_a_range_of_r(wanted: str, requires: str, policy: str, installed: str, chosen: str | None, why: str) -> None:
    there, version = [r(each) for each in installed.split()], Version(wanted) if wanted else None
    try:
        found: str | None = str(choose_r(version, Policy(policy), there, SpecifierSet(requires)).r.version)
    except NoMatchingR:
        found = None
    assert found == chosen, why


def test_a_range_that_nothing_fits_is_named() -> None:
    with pytest.raises(NoMatchingR, match=r"with R version satisfying >=4\.3") as refused:
        choose_r(Version("4.2.2"), Policy.exact, [r("4.2.2")], SpecifierSet(">=4.3"))
    assert "exact" not in refused.value.hint


@pytest.mark.parametrize(
    ("wanted", "requires", "chosen"),
    [(None, "~=1.3.0", "1.3.9"), ("1.4.0", "<1.4", "1.3.9"), ("1.3.1", ">=1.4", "1.4.5"), ("1.3.1", "~=1.3", "1.3.9")],
)
def test_a_range_of_quarto(wanted: str | None, requires: str, chosen: str) -> None:
    there = [QuartoInstallation(version=Version(each), executable=Path("/q")) for each in ("1.4.5", "1.3.9")]
    found = choose_quarto(Version(wanted) if wanted else None, there, SpecifierSet(requires))
    assert found is not None
    assert str(found.version) == chosen


def test_no_quarto_within_the_range() -> None:
    there = [QuartoInstallation(version=Version("1.4.5"), executable=Path("/q"))]
    with pytest.raises(NoMatchingQuarto, match=r"Quarto version satisfying >=1\.5") as refused:
        choose_quarto(None, there, SpecifierSet(">=1.5"))
    assert "Quarto 1.4.5" in refused.value.hint
    assert choose_quarto(None, [], SpecifierSet(">=1.5")) is None
