from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from rostra.runtimes.interview import NotAnAnswer
from rostra.runtimes.r_interview import from_json, read_output, to_json

LINES = (
    "rostra-r\tversion\t4.2.2",
    "rostra-r\thome\t/usr/lib/R",
    "rostra-r\tplatform\tx86_64-pc-linux-gnu",
    "rostra-r\tpandoc\t/usr/bin/pandoc",
    "rostra-r\tlibrary\t/usr/lib/R/site-library",
    "rostra-r\tpackage\tshiny\t1.7.4",
    "rostra-r\tlibrary\t/usr/lib/R/library",
    "rostra-r\tpackage\tbase\t4.2.2",
    "rostra-r\tend",
)


def said(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_an_answer_is_read() -> None:
    answer = read_output(said("Welcome to our site's R!", *LINES))
    assert answer.version == Version("4.2.2")
    assert answer.libraries == ("/usr/lib/R/site-library", "/usr/lib/R/library")
    assert answer.packages == {"shiny": "1.7.4", "base": "4.2.2"}


def test_of_a_package_in_two_libraries_the_first_counts() -> None:
    answer = read_output(said(*LINES[:-1], "rostra-r\tpackage\tshiny\t0.9", LINES[-1]))
    assert answer.packages["shiny"] == "1.7.4"


def test_no_pandoc_is_said_by_an_empty_fact() -> None:
    assert read_output(said(*LINES[:3], "rostra-r\tpandoc\t", *LINES[4:])).pandoc == ""


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (LINES[:-1], "it did not finish"),
        (LINES[1:], "no version"),
        (("rostra-r\tversion\tfour", *LINES[1:]), "no version number"),
        ((LINES[0], "rostra-r\thome\tlib/R", *LINES[2:]), "the home is relative"),
        ((*LINES[:-1], "rostra-r\tpackage\t../x\t1.0", LINES[-1]), "a package with a path as its name"),
        ((*LINES[:-1], "rostra-r\tlibrary\trelative", LINES[-1]), "a relative library"),
    ],
)
def test_what_is_no_answer_is_refused(lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(NotAnAnswer):
        pytest.fail(f"{why}: {read_output(said(*lines))}")


@given(st.binary(max_size=400))
def test_whatever_a_program_writes_is_an_answer_or_none(output: bytes) -> None:
    try:
        read_output(output + b"\nrostra-r\tend\n")
    except NotAnAnswer:
        return


def test_what_is_kept_reads_back() -> None:
    answer = read_output(said(*LINES))
    assert from_json(to_json(answer)) == answer
