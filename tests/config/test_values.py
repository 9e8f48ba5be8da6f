from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from packaging.version import Version

from rostra.config import values
from rostra.config.declarations import Declared, all_settings, find


def declared(name: str) -> Declared:
    found = find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Python.Enabled", "true", True),
        ("python.enabled", " ON ", True),
        ("Python.Enabled", "yes", True),
        ("Python.Enabled", "1", True),
        ("Python.Enabled", "False", False),
        ("Python.Enabled", "off", False),
        ("Python.Enabled", "no", False),
        ("Python.Enabled", "0", False),
        ("Scheduler.MaxProcesses", "7", 7),
        ("Scheduler.LoadFactor", "0.217", 0.217),
        ("Scheduler.LoadFactor", "1.", 1.0),
        ("Scheduler.LoadFactor", ".5", 0.5),
        ("Scheduler.InitTimeout", "1m15s", dt.timedelta(seconds=75)),
        ("Scheduler.IdleTimeout", "0", dt.timedelta(0)),
        ("Applications.MaxBundleSize", "5 KiB", 5120),
        ("Applications.MaxBundleSize", "5 MB", 5_000_000),
        ("Python.Executable", "/usr/bin/python3", Path("/usr/bin/python3")),
        ("Python.VersionMatching", "Exact", "exact"),
        ("Server.SystemDisplayName", " as it is ", " as it is "),
    ],
)
def test_texts_become_values(name: str, text: str, value: object) -> None:
    assert values.parse(declared(name), text) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Python.Enabled", "maybe", "neither true nor false"),
        ("Python.Enabled", "", "neither true nor false"),
        ("Scheduler.MaxProcesses", "3.5", "whole number"),
        ("Scheduler.MaxProcesses", "9" * 30, "whole number"),
        ("Scheduler.LoadFactor", "nan", "not a number"),
        ("Scheduler.LoadFactor", "1e5", "not a number"),
        ("Scheduler.InitTimeout", "soon", "not a duration"),
        ("Scheduler.InitTimeout", "9" * 40 + "d", "too large"),
        ("Applications.MaxBundleSize", "5 stones", "not a size"),
        ("Applications.MaxBundleSize", "9" * 400, "too large"),
        ("Python.Executable", "bin/python3", "not an absolute path"),
        ("Python.Executable", "", "not an absolute path"),
        ("Python.VersionMatching", "exat", "did you mean exact?"),
    ],
)
def test_what_cannot_be_a_value_says_what_is_expected(name: str, text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("?", r"\?")):
        values.parse(declared(name), text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("3.9", ["3.9.0", "3.9.18", "3.9.0rc1"], ["3.10.0", "3.8.18"]),
        ("3", ["3.0.1", "3.13.0"], ["2.7.18"]),
        ("3.9.7", ["3.9.7"], ["3.9.6", "3.9.8"]),
        ("<3.10", ["3.9.18", "2.7.18"], ["3.10.0"]),
        (">=3.8,<3.9", ["3.8.18"], ["3.9.0"]),
        ("==3.9.*", ["3.9.1"], ["3.10.1"]),
    ],
)
def test_versions_and_ranges(text: str, inside: list[str], outside: list[str]) -> None:
    found = values.version_range(text)
    assert [each for each in inside + outside if found.contains(Version(each), prereleases=True)] == inside


@pytest.mark.parametrize("text", ["", "new", ">=", "3.9 3.10"])
def test_what_is_neither_version_nor_range(text: str) -> None:
    with pytest.raises(ValueError, match="not a version or a range"):
        values.version_range(text)


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.full_name)
def test_what_is_shown_reads_back(setting: Declared) -> None:
    shown = values.shown(setting, setting.default)
    if setting.repeatable:
        assert tuple(values.parse(setting, each) for each in shown) == setting.default
    elif shown:
        assert values.parse(setting, shown) == setting.default


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:hunter2@host/simple", "https://user:***@host/simple"),
        ("https://host/simple", "https://host/simple"),
        ("postgres://rostra@db:5432/rostra", "postgres://rostra@db:5432/rostra"),
        ("https://u:hunter2@[bad", "(hidden)"),
    ],
)
def test_passwords_in_addresses_are_hidden(text: str, shown: str) -> None:
    assert values.without_password(text) == shown
