from __future__ import annotations

import pytest

from rostra.config.declarations import Declared, all_settings, find
from rostra.config.unsupported import known_elsewhere


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.full_name)
def test_every_setting_says_what_it_is(setting: Declared) -> None:
    assert setting.help.endswith("."), "one sentence of help"
    assert setting.help[0].isupper()
    assert setting.since
    assert setting.type_words


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.full_name)
def test_a_setting_is_not_also_unsupported(setting: Declared) -> None:
    assert not known_elsewhere(setting.section, setting.name)


@pytest.mark.parametrize(
    "name",
    ["Server.DataDir", "HTTP.Listen", "Postgres.URL", "Python.VersionMatching", "Scheduler.MaxConnsPerProcess"],
)
def test_names_are_those_of_compatible_files(name: str) -> None:
    found = find(name.lower())
    assert found is not None
    assert found.full_name == name


def test_names_are_unique() -> None:
    names = [setting.full_name.lower() for setting in all_settings()]
    assert len(names) == len(set(names))
    variables = [setting.variable for setting in all_settings()]
    assert len(variables) == len(set(variables))


def test_what_is_no_setting_is_not_found() -> None:
    assert find("Python") is None
    assert find("Python.Nothing") is None
