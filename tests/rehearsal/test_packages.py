"""Comparing packages, and loosening requirements."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.build_shell import runtime_of

from rostra.environments.entry import Entry
from rostra.environments.spec import EnvironmentSpec
from rostra.rehearsal.model import Moved, Plan
from rostra.rehearsal.packages import edits, loosened, moved, pins_in, without_wheels
from rostra.rehearsal.steps import edited


@pytest.mark.parametrize(
    ("line", "loose", "why"),
    [
        ("pandas==1.1.5", "pandas>=1.1.5", "an exact pin"),
        ("pandas", "pandas", "nothing to loosen"),
        ("pandas<2", "pandas>=1.1.5", "the upper end goes, today's version stays the least"),
        ("pandas[excel]==1.1.5", "pandas[excel]>=1.1.5", "extras stay"),
        ('pandas==1.1.5 ; python_version < "4"', 'pandas>=1.1.5 ; python_version < "4"', "markers stay"),
        ("unknown==2.*", "unknown>=2", "not installed today"),
        ("thing @ https://x.example/thing-1.0.tar.gz", "thing @ https://x.example/thing-1.0.tar.gz", "an address"),
        ("local ./lib", "local ./lib", "a part of the bundle"),
    ],
)
def test_lines_are_loosened(line: str, loose: str, why: str) -> None:
    assert loosened([Entry(text=line, place="")], {"pandas": "1.1.5"})[0][1] == loose, why


def test_what_moved() -> None:
    found = moved({"a": "1", "b": "2", "pip": "1"}, {"a": "1", "b": "3", "c": "1"})
    assert found == (Moved(name="b", before="2", after="3"), Moved(name="c", before="", after="1"))


@pytest.mark.parametrize(
    ("plan", "newer", "why"),
    [
        (Plan(), False, "nothing differs"),
        (Plan(moved=(Moved(name="a", before="", after="1"),)), False, "an addition changes nothing that is there"),
        (Plan(moved=(Moved(name="a", before="1", after=""),)), False, "a backport that is not needed any more"),
        (Plan(moved=(Moved(name="a", before="1", after="2"),)), True, "another version"),
        (Plan(edits=(("a==1", "a==2"),)), True, "the author has to change something"),
    ],
)
def test_when_packages_are_newer(plan: Plan, newer: bool, why: str) -> None:
    assert plan.newer is newer, why


def test_lines_to_change_are_named() -> None:
    entries = [
        Entry(text="a==1", place=""),
        Entry(text="b", place=""),
        Entry(text='c[x]<2 ; python_version > "3"', place=""),
    ]
    assert edits(entries, {"a": "2", "b": "9", "c": "2.5"}) == (
        ("a==1", "a==2"),
        ('c[x]<2 ; python_version > "3"', 'c[x]==2.5; python_version > "3"'),
    )


def test_edits_are_made_to_the_file_as_it_is_written(tmp_path: Path) -> None:
    text = "# ours\n--extra-index-url https://x.example/simple\nPandas == 1.1.5  # why\nflask\n"
    spec = EnvironmentSpec(runtime=runtime_of(), requirements=text, bundle_dir=tmp_path)
    plan = Plan(edits=(("pandas==1.1.5", "pandas==2.2.3"),))
    assert edited(spec, plan).requirements == (
        "# ours\n--extra-index-url https://x.example/simple\npandas==2.2.3\nflask\n"
    )


def test_pins_are_read_from_a_lock() -> None:
    text = "# head\nA_b==1.0 \\\n    --hash=sha256:aa\nc==2  # sha256:bb\nd @ https://x.example/d.whl\n"
    assert pins_in(text.splitlines()) == {"a-b": "1.0", "c": "2"}


def test_packages_without_a_wheel() -> None:
    text = '[[packages]]\nname = "a"\nwheels = [{url = "x"}]\n[[packages]]\nname = "b"\nsdist = {url = "y"}\n'
    assert without_wheels(text) == ("b",)
