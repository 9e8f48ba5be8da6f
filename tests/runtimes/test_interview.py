from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.runtimes.interview import MARK, NotAnAnswer, from_json, read_output, to_json

GOOD = {
    "version": "3.11.7",
    "implementation": "cpython",
    "cache_tag": "cpython-311",
    "platform": "linux-x86_64",
    "executable": "/opt/python/bin/python3",
    "prefix": "/opt/python",
    "base_prefix": "/opt/python",
    "base_exec_prefix": "/opt/python",
    "stdlib": "/opt/python/lib/python3.11",
    "platstdlib": "/opt/python/lib/python3.11",
    "purelib": "/opt/python/lib/python3.11/site-packages",
    "libdir": "",
    "library": "",
    "pip": True,
    "venv": True,
    "ensurepip": True,
    "setuptools": "65.5.0",
}


def output(raw: object) -> bytes:
    return (MARK + json.dumps(raw) + "\n").encode()


def test_an_answer_is_read_and_written_back() -> None:
    assert to_json(read_output(output(GOOD))) == GOOD


def test_chatter_around_the_answer_is_skipped() -> None:
    assert read_output(b"welcome\n" + output(GOOD) + b"bye\n").version.major == 3


def test_a_prerelease_is_understood() -> None:
    assert read_output(output({**GOOD, "version": "3.14.0rc2"})).version.is_prerelease


@pytest.mark.parametrize(
    "change",
    [
        {"version": "new"},
        {"version": 3},
        {"version": "9" * 6000},
        {"pip": 1},
        {"pip": "yes"},
        {"prefix": "relative"},
        {"base_prefix": ""},
        {"stdlib": "/a\nb"},
        {"platform": "x" * 5000},
        {"implementation": None},
        {"more": 1},
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(NotAnAnswer):
        read_output(output({**GOOD, **change}))


@pytest.mark.parametrize("raw", [None, [], {}, "x", 1, {"version": "3.9.1"}])
def test_other_shapes_are_refused(raw: object) -> None:
    with pytest.raises(NotAnAnswer):
        from_json(raw)


@given(st.binary(max_size=200))
def test_no_output_makes_it_fail_otherwise(said: bytes) -> None:
    for text in (said, MARK.encode() + said):
        with contextlib.suppress(NotAnAnswer):
            read_output(text)
