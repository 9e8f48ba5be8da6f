"""Whether requirements leave anything open."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement
from packaging.version import Version

from rostra.environments.closed import Needs, Pin, is_closed, needs, pins
from rostra.environments.requirements import parse

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("six==1.17.0\nClick == 8.1", {"six": "1.17.0", "click": "8.1"}),
        ("six==1.17.0 ; python_version > '3'\nclick==8.1; python_version < '3'", {"six": "1.17.0"}),
        ("", {}),
        (f"six==1 --hash={A}\nclick==2 --hash={B}", {"six": "1", "click": "2"}),
        ("six==1\n-c limits.txt", {"six": "1"}),
        ("--index-url https://example.org/simple\nsix==1", {"six": "1"}),
        ("six", None),
        ("six>=1", None),
        ("six==1.*", None),
        ("six===1", None),
        ("six==1,!=2", None),
        ("six==1\nsix[x]==1", None),
        ("six @ https://example.org/six-1-py3-none-any.whl", None),
        ("git+https://example.org/six.git", None),
        ("./six-1-py3-none-any.whl", None),
        (f"six==1 --hash={A}\nclick==2", None),
        ("--require-hashes\nsix==1", None),
        ("--no-binary six\nsix==1", None),
        ("--find-links ./folder\nsix==1", None),
        ("click==2\n-c limits.txt", None),
    ],
)
def test_what_is_pinned(tmp_path: Path, text: str, expected: dict[str, str] | None) -> None:
    (tmp_path / "six-1-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "limits.txt").write_text("click<2\n")
    found = pins(parse(text, bundle_dir=tmp_path))
    assert (None if found is None else {name: str(pin.version) for name, pin in found.items()}) == expected


def pin(version: str, *extras: str) -> Pin:
    return Pin(Version(version), frozenset(extras), frozenset())


KNOWN: dict[str, Needs] = {
    "flask": {"": ("werkzeug>=3", "click"), "async": ("asgiref>=3",), "all": ("flask[async]",)},
    "werkzeug": {"": ()},
    "click": {"": ()},
    "asgiref": {"": ()},
    "remote": {"": ("click @ https://example.org/click.whl",)},
    "first": {"": ("second",)},
    "second": {"": ("first",)},
}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"flask": pin("3"), "werkzeug": pin("3.1"), "click": pin("8")}, True),
        ({"flask": pin("3"), "werkzeug": pin("2"), "click": pin("8")}, False),
        ({"flask": pin("3"), "werkzeug": pin("3.1")}, False),
        ({"flask": pin("3"), "werkzeug": pin("3.1rc1"), "click": pin("8")}, True),
        ({"flask": pin("3", "async"), "werkzeug": pin("3"), "click": pin("8")}, False),
        ({"flask": pin("3", "async"), "werkzeug": pin("3"), "click": pin("8"), "asgiref": pin("3")}, True),
        ({"flask": pin("3", "all"), "werkzeug": pin("3"), "click": pin("8")}, False),
        ({"flask": pin("3", "nosuch"), "werkzeug": pin("3"), "click": pin("8")}, False),
        ({"remote": pin("1"), "click": pin("8")}, False),
        ({"first": pin("1"), "second": pin("1")}, True),
        ({}, True),
    ],
)
def test_whether_every_need_is_met(found: dict[str, Pin], expected: bool) -> None:
    assert is_closed(found, KNOWN.__getitem__) is expected


def test_needs_are_those_of_the_interpreter_by_extra() -> None:
    told = ["click>=8", "old; python_version < '3'", "asgiref>=3; extra == 'async'", "both[x]; extra == 'Two_Words'"]
    assert needs(told, ["async", "Two_Words"], {"python_version": "3.11"}) == {
        "": ("click>=8",),
        "async": ("click>=8", "asgiref>=3"),
        "two-words": ("click>=8", "both[x]"),
    }


def test_a_need_that_is_no_requirement_is_an_error() -> None:
    with pytest.raises(InvalidRequirement):
        needs(["not a requirement at all"], [], {})
